"""Which of several models to train by probes: a rule over what short runs of each came to.

1. A model of more weights than are allowed, or that could not be trained, is out.
2. Of the rest the least training loss wins, at equal example evaluations.
3. Losses within NEAR of the least are alike, and of these the fewest multiply-adds win.

Numbers in, a choice out; nothing is trained here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from baffle.bench.advise.rule import Advice
from baffle.bench.advise.short_run import Learned

# Digits, 100,000 evaluations, three keys: the losses of a perceptron and of a linear model varied
# by 7 % and 13 % (standard deviation), so a difference of two by 15 %.
NEAR = 0.05  # of the least loss: that close, the cheaper one is as good a guess
SPREAD = 0.15  # of it, standard deviation of a difference between runs of two models
SURE = 2 * SPREAD
LITTLE = 0.9  # of what guessing loses: more is nothing learned


@dataclass(frozen=True)
class Tried:
    """A model and what came of trying it.

    Args:
        model: its name.
        weights: trained numbers; 0 where the model could not be made.
        multiply_adds: of one example's forward pass; 0 likewise.
        learned: None where it was not trained to the end.
        seconds: that all of it took here, all runs of it.
        why_not: why it is out; "" if it is not.
        too_large: whether that is its number of weights, and it was never trained.
    """

    model: str
    weights: int = 0
    multiply_adds: int = 0
    learned: Learned | None = None
    seconds: float = 0.0
    why_not: str = ""
    too_large: bool = False

    @property
    def loss(self) -> float:
        """Training loss at the end; infinite where there is none."""
        return self.learned.loss if self.learned else math.inf

    def client_multiply_adds(self, clients: int) -> float:
        """Return what all runs cost a client, forward, on average."""
        spent = self.learned.all_evaluations if self.learned else 0
        return spent * self.multiply_adds / clients


@dataclass(frozen=True)
class Choice:
    """Which model to take.

    Args:
        tried: every model, in the order it was named.
        clients: that shared the evaluations.
        classes: of the data, which say what guessing loses.
        advice: on the model to take, where it was asked for.
    """

    tried: Sequence[Tried]
    clients: int
    classes: int
    advice: Advice | None = None

    @property
    def ranked(self) -> list[Tried]:
        """The models that were trained, the least loss first; of equals the fewest products."""
        trained = [t for t in self.tried if t.learned is not None]
        return sorted(trained, key=lambda t: (t.loss, t.multiply_adds))

    @property
    def alike(self) -> list[Tried]:
        """Of these, the ones whose loss cannot be told from the least."""
        ranked = self.ranked
        return [t for t in ranked if t.loss <= ranked[0].loss * (1 + NEAR)]

    @property
    def best(self) -> Tried | None:
        """The model to take; None if none was trained."""
        return min(self.alike, key=lambda t: (t.multiply_adds, t.loss), default=None)

    @property
    def gap(self) -> float:
        """How much more than the least the next loss is that differs, as a share of the least."""
        others = self.ranked[len(self.alike) :]
        return others[0].loss / self.ranked[0].loss - 1 if others else math.inf

    @property
    def guessing(self) -> float:
        """The loss of saying that every class is as likely, ln C."""
        return math.log(self.classes)

    @property
    def learned_little(self) -> bool:
        """Whether no model is much better than guessing."""
        return bool(self.ranked) and self.ranked[0].loss > LITTLE * self.guessing
