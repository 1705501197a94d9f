"""A round in progress at a fleet's server: who was asked, who is still awaited, when it ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from baffle.protocol.exchange import Evaluation
from baffle.protocol.messages import LOSS_EXPONENT

MOST_EXAMPLES = 1_000_000


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
        late: reports that came for rounds before, and were not summed there.
        missing: clients that had not answered when its time was over.
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
    missing: int = 0
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
    """Return the clients' mean loss and accuracy, weighted by their examples; empty without any.

    Nobody can check what a client says here. No client weighs more than a million examples.
    """
    weights = [min(e.examples, MOST_EXAMPLES) for e in found]
    if not weights:
        return {}
    losses = sum(e.loss * w for e, w in zip(found, weights, strict=True))
    figures = {
        "client_examples": sum(weights),
        "client_loss": losses * 2.0**LOSS_EXPONENT / sum(weights),
    }
    known = [(e, w) for e, w in zip(found, weights, strict=True) if e.right is not None]
    if known:
        right = sum((e.right or 0) / e.examples * w for e, w in known)
        figures["client_accuracy"] = right / sum(w for _, w in known)
    return figures
