"""What a client does in a round of FedAvg; and plain inference beside it.

Nothing of the probes is imported here, so that a process which trains carries none of it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from baffle.bench.advise.given import Given
from baffle.bench.by_hand import step

Clock = Callable[[], float]
STEP_SIZE = 1e-4  # small enough that losses stay what they are for all that speed knows


class TrainingRounds:
    """A client's rounds of FedAvg: H steps of forward, backward and SGD on B examples.

    Args:
        given: model and examples.
        steps: H.
    """

    def __init__(self, given: Given, steps: int) -> None:
        self.given, self.steps = given, steps
        self.trained = [p for p in given.module.parameters() if p.requires_grad]
        self.up = self.down = sum(p.nbytes for p in self.trained)
        self.probes, self.probing = 0.0, 0.0

    def round(self, clock: Clock) -> None:
        """Do a round."""
        given = self.given
        for _ in range(self.steps):
            given.loss(given.module(given.inputs), given.targets).backward()
            step(self.trained, STEP_SIZE)


class InferenceRounds:
    """Forward passes of B examples, without gradients."""

    up = down = 0
    probes = probing = 0.0

    def __init__(self, given: Given, passes: int) -> None:
        self.given, self.passes = given, passes

    @torch.inference_mode()
    def round(self, clock: Clock) -> None:
        """Do all passes."""
        for _ in range(self.passes):
            self.given.module(self.given.inputs)
