"""Train on wrong labels and report honestly what that gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from baffle.drivers.local.hostile.base import HonestReports
from baffle.errors import ConfigError


@dataclass(frozen=True)
class LabelFlip(HonestReports):
    """y → classes − 1 − y. With an odd number of classes the middle one keeps its label.

    Source: Fang et al., "Local Model Poisoning Attacks to Byzantine-Robust Federated Learning",
    USENIX Security 2020.

    Example:
        >>> LabelFlip().targets(np.array([0, 1, 9]), classes=10).tolist()
        [9, 8, 0]
    """

    name: ClassVar[str] = "label_flip"

    def targets(self, targets: NDArray[Any], classes: int) -> NDArray[Any]:
        """Return the flipped labels, in the same type.

        Raises:
            ConfigError: the targets are not classes 0 to `classes` − 1.
        """
        if not np.issubdtype(targets.dtype, np.integer):
            raise ConfigError(
                f"{self.name}: expected integer classes as targets, got {targets.dtype}: choose an "
                "attack on the reports"
            )
        if targets.size and not 0 <= int(targets.min()) <= int(targets.max()) < classes:
            raise ConfigError(
                f"{self.name}: expected classes 0 to {classes - 1}, got {targets.min()} to "
                f"{targets.max()}"
            )
        return (classes - 1 - targets).astype(targets.dtype)
