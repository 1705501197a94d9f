"""What is audited: units of privacy, rounds, sampling and ε."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import asdict, dataclass

from baffle.privacy import PrivacySpec, epsilon, noise_multiplier_for

DELTA = 1e-5
BITS = 16
DIRECTIONS = 1
MEMBERS = 4  # survivors of a sum, the least with which it is opened
COLLUDING = 1  # of them; the attacker knows its noise
TRIALS = 2**21  # with the unit, and as many without; half as many where there are more rounds


@dataclass(frozen=True)
class Cell:
    """One audit.

    Args:
        unit: "client" or "example".
        rounds: in which the unit takes part.
        sampling: q of secret sampling, None for none.
        target: ε that the noise is chosen for.
        shares: honest shares of noise in the sum; fewer than promised is the control, which the
            audit must find out.
    """

    unit: str
    rounds: int
    sampling: float | None
    target: float
    shares: int = MEMBERS - COLLUDING

    @property
    def id(self) -> str:
        """A name made of every field and of what all audits share."""
        fields = [asdict(self), DELTA, BITS, DIRECTIONS, MEMBERS, COLLUDING, TRIALS]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:12]

    @property
    def trials(self) -> int:
        """Runs with the unit, and as many without it."""
        return TRIALS if self.rounds == 1 else TRIALS // 2

    @property
    def control(self) -> bool:
        """Whether this audit has less noise than it promises."""
        return self.shares < MEMBERS - COLLUDING

    def spec(self) -> PrivacySpec:
        """Return the promise with the least noise that keeps the target."""
        z = noise_multiplier_for(self.target, DELTA, self.rounds, self.sampling)
        return PrivacySpec(self.unit, z, DELTA, loss_bound=8.0, sampling=self.sampling)

    def claimed(self) -> float:
        """Return the accountant's ε."""
        z = self.spec().noise_multiplier
        return epsilon(z, self.rounds, DELTA, self.sampling)


KINDS = (("client", 1, None), ("client", 4, None), ("example", 1, None), ("example", 4, 0.25))
CELLS = [Cell(*kind, target) for kind, target in itertools.product(KINDS, (8.0, 4.0, 2.0, 1.0))]
CELLS.append(Cell("client", 1, None, 2.0, shares=1))
