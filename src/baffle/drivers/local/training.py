"""What a run in progress offers, whether it keeps a ledger or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.config import Settings
from baffle.drivers.local.metrics import MetricsLog, Row
from baffle.drivers.local.task import Task
from baffle.updates import TrainState


class Training(Protocol):
    """A run that was begun in a folder: `Session`, or `BaselineSession`."""

    settings: Settings
    task: Task
    folder: Path
    log: MetricsLog

    @property
    def dimension(self) -> int:
        """Entries that are trained."""
        ...

    @property
    def state(self) -> TrainState:
        """Where training stands."""
        ...

    @property
    def cohort(self) -> int:
        """Clients asked each round."""
        ...

    @property
    def run_id(self) -> bytes:
        """Sixteen bytes that no other run has."""
        ...

    def run(self, on_round: Callable[[Row], None] = ..., stop: Callable[[], bool] = ...) -> bool:
        """Run the rounds that are left; returns whether all are done."""
        ...

    def begin_at(self, cost: Mapping[str, float]) -> None:
        """Begin the totals with what was spent before round 0."""
        ...

    def served(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights to evaluate and to ship."""
        ...

    def load_trained(self) -> None:
        """Put the trained weights into the task's model."""
        ...

    def close(self) -> None:
        """Release the run folder."""
        ...


Begin = Callable[[Settings, Task, Path], Training]
