"""Report noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baffle.drivers.local.hostile.base import HonestData, Integers, Scene


@dataclass(frozen=True)
class RandomLevels(HonestData):
    """Every level of the quantiser alike, each client its own: far longer than an honest report."""

    name: ClassVar[str] = "random"

    def values(self, scene: Scene) -> Integers:
        """Return uniform levels."""
        limit = scene.quantiser.limit
        if scene.quantiser.bits == 1:
            return 2 * (scene.words >> np.uint32(31)).astype(np.int64) - 1
        # The high half of word × levels: off uniform by less than levels/2^32.
        scaled = scene.words.astype(np.uint64) * np.uint64(2 * limit + 1) >> np.uint64(32)
        return scaled.astype(np.int64) - limit
