"""A round in progress at a fleet's server: who was asked, who is still awaited, when it ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from baffle.protocol.exchange import Evaluation


@dataclass
class OpenRound:
    """A round in progress.

    Args:
        number: of the round.
        opened: when, in the driver's seconds.
        ends: when it is closed at the latest.
        wanted: reports after which it is closed.
        asked: client number to the node that was asked.
        reported: clients whose report was summed.
        lost: clients that will not report: they said so, or their node went away.
        mended: clients that were sent a state within this round.
        reminded: clients that were asked twice.
        late: reports that came for rounds before.
        evaluations: what clients found on their held-out examples.
    """

    number: int
    opened: float
    ends: float
    wanted: int
    asked: dict[int, int]
    reported: set[int] = field(default_factory=set)
    lost: dict[int, str] = field(default_factory=dict)
    mended: set[int] = field(default_factory=set)
    reminded: set[int] = field(default_factory=set)
    late: int = 0
    evaluations: list[Evaluation] = field(default_factory=list)

    def awaited(self) -> set[int]:
        """Return the clients that may still report."""
        return self.asked.keys() - self.reported - self.lost.keys()

    def over(self, now: float) -> str | None:
        """Return why the round is over: "enough", "all", "deadline", or None if it is not."""
        if len(self.reported) >= self.wanted:
            return "enough"
        if not self.awaited():
            return "all"
        return "deadline" if now >= self.ends else None

    def why(self, least: int, reason: str) -> str:
        """Return a sentence on why there were too few reports."""
        lost = ", ".join(f"{n} {text}" for text, n in Counter(self.lost.values()).items())
        silent = len(self.awaited())
        silence = f"{silent} did not answer in time" if silent else ""
        rest = "; ".join(filter(None, (lost, silence))) or "nobody else was asked"
        return (
            f"round {self.number} ({reason}): expected at least {least} reports of "
            f"{len(self.asked)} asked, got {len(self.reported)}: {rest}"
        )


def mean_evaluation(found: list[Evaluation]) -> dict[str, float]:
    """Return the clients' mean loss and accuracy, weighted by their examples; empty without any."""
    examples = sum(e.examples for e in found)
    if not examples:
        return {}
    figures = {
        "client_examples": examples,
        "client_loss": sum(e.loss * e.examples for e in found) * 2.0**-16 / examples,
    }
    known = [e for e in found if e.right is not None]
    if known:
        right, of = sum(e.right or 0 for e in known), sum(e.examples for e in known)
        figures["client_accuracy"] = right / of
    return figures
