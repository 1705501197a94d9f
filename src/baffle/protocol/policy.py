"""What the server asks for next, as a function of what the last round came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from baffle.protocol.messages import Outcome, Plan
from baffle.updates import TrainState


@dataclass(frozen=True)
class Last:
    """The round before: everything that a plan may depend on besides its own number."""

    plan: Plan
    outcome: Outcome


class Policy(Protocol):
    """A pure function; a restarted server asks for the same as the one that died."""

    def plan(
        self,
        run: bytes,
        round: int,
        digest: bytes,
        last: Last | None,
        state: TrainState | None = None,
    ) -> Plan:
        """Return the plan of a round.

        Args:
            run, round, digest: as the plan states them.
            last: the round before; None at the start.
            state: that the round begins with, which every replay knows.
        """
        ...
