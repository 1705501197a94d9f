"""How long a fleet's server waits, and for how many. Time is a number that the driver passes in."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """When a round begins and ends.

    Args:
        deadline: seconds from a round's asks to its end; also how long an ask is valid.
        over_selection: share by which more clients are asked than reports are wanted.
        min_clients: clients that must be there before a round is opened.
        gather: seconds that the first round waits for all registered clients before
            `min_clients` are enough.
        evaluate_every: rounds between evaluations on the clients' held-out examples; 0: never.
        bytes_per_second: of a client's way down, for the choice between rounds and a snapshot.
        greet_again: seconds after which a node that did not answer is greeted anew.
        grace: seconds for which a node may vanish from the network's list before it counts as gone.
        remind: seconds after which a client that did not answer is asked once more: a node that
            was killed may have taken the ask with it. 0: never.
        exchange: seconds for a secure sum's short exchanges, in which nobody computes a loss.
    """

    deadline: float = 60.0
    over_selection: float = 0.0
    min_clients: int = 1
    gather: float = 60.0
    evaluate_every: int = 0
    bytes_per_second: float = 1e6
    greet_again: float = 60.0
    grace: float = 20.0
    remind: float = 20.0
    exchange: float = 30.0

    def asked(self, wanted: int, present: int) -> int:
        """Return how many clients are asked for `wanted` reports.

        Example:
            >>> Pace(over_selection=0.3).asked(10, present=100)
            13
        """
        return min(present, math.ceil(round(wanted * (1 + self.over_selection), 9)))

    def pause(self, abandoned: int) -> float:
        """Return the seconds to wait after so many rounds in a row had too few reports.

        They double up to the deadline: an outage is not to burn a run's rounds.

        Example:
            >>> [Pace(deadline=5.0).pause(n) for n in range(5)]
            [0.0, 1.0, 2.0, 4.0, 5.0]
        """
        return 0.0 if abandoned == 0 else min(self.deadline, 2.0 ** min(abandoned - 1, 40))

    def evaluates(self, round: int) -> bool:
        """Return whether a round's asks want an evaluation."""
        return self.evaluate_every > 0 and round % self.evaluate_every == 0
