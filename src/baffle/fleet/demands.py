"""What a client's operator wants of a run before the client takes part in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from baffle.errors import Refused
from baffle.privacy import PrivacySpec
from baffle.protocol import Genesis


@dataclass(frozen=True)
class Demands:
    """An operator's wishes; none of them, as a rule.

    Args:
        secure: whether to refuse runs whose reports go in the clear.
        min_group: refuse secure sums that may be of fewer clients than these.
        collusion: refuse secure sums that withstand a smaller share of colluding clients.
        failure_bits: refuse secure sums that may fail with a larger chance than 2^-this.
        noise: refuse runs without privacy noise of this multiplier.
        delta: refuse a promise of privacy with a larger δ; None for any.
        identities: Ed25519 public keys of other clients, by number, where they are known by a way
            that does not lead through the server.
    """

    secure: bool = False
    min_group: int = 0
    collusion: float = 0.0
    failure_bits: int = 0
    noise: float = 0.0
    delta: float | None = None
    identities: Mapping[int, bytes] = field(default_factory=dict)

    def known(self, number: int) -> bytes | None:
        """Return the identity key that a client is known by, None if it is not known."""
        return self.identities.get(number)

    def require(self, genesis: Genesis) -> None:
        """Raise Refused unless a run is one to take part in.

        A run whose privacy noise comes in shares is none without secure sums, whoever asks.
        """
        spec = genesis.secure
        if spec is None and (self.secure or genesis.privacy is not None):
            raise Refused(
                "secure", "expected a run with secure sums, got one whose reports go in the clear"
            )
        if spec is not None and spec.min_group < self.min_group:
            raise Refused(
                "group",
                f"expected sums of {self.min_group} clients or more, got a run that opens sums of "
                f"{spec.min_group}",
            )
        for name in ("collusion", "failure_bits"):
            wanted, found = getattr(self, name), getattr(spec, name, 0)
            if found < wanted:
                raise Refused(
                    "secure", f"expected secure sums with {name} of {wanted} or more, got {found}"
                )
        self._require_noise(genesis.privacy)

    def _require_noise(self, spec: PrivacySpec | None) -> None:
        found = spec.noise_multiplier if spec else 0.0
        if found < self.noise:
            raise Refused(
                "secure",
                f"expected privacy noise of multiplier {self.noise} or more, got {found}",
            )
        if self.delta is not None and spec is not None and spec.delta > self.delta:
            raise Refused("secure", f"expected a δ of at most {self.delta}, got {spec.delta}")
