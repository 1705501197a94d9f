"""Back-propagation: training steps on the same rows, plain and checkpointed."""

from __future__ import annotations

from baffle.bench.by_hand import step
from baffle.bench.modules import checkpoint_blocks
from baffle.bench.sides.work import Case, Setting, Side, Work, mean_loss, powers

STEP_SIZE = 1e-6  # small enough that the weights stay as they are for all that speed knows


class Training(Side):
    """Steps of forward, loss, backward and SGD on `chunk` rows each, in eval mode.

    Args:
        case: what to train.
        checkpointed: keep the activations between blocks only, and compute the blocks twice.
        at_batch: steps of B rows and no others, as a client takes them.
    """

    unit = 1

    def __init__(self, case: Case, checkpointed: bool = False, at_batch: bool = False) -> None:
        self.case, self.at_batch = case, at_batch
        self.module = case.own_module()
        if checkpointed:
            checkpoint_blocks(case.subject, self.module)
        self.parameters = list(self.module.parameters())

    def chunks(self) -> tuple[int, ...]:
        """Return numbers of rows a step."""
        case = self.case
        return (case.examples,) if self.at_batch else powers(case.examples, case.rows, 4)

    def work(self, setting: Setting, most: int) -> Work:
        """Return steps over about `most` rows."""
        inputs, targets = self.case.tiled(setting.chunk)
        steps = max(1, min(most, self.case.rows) // setting.chunk)

        def run() -> None:
            for _ in range(steps):
                mean_loss(self.case, self.module(inputs), targets).backward()
                step(self.parameters, STEP_SIZE)

        return Work(steps * setting.chunk, run)
