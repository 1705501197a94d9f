"""Report a multiple of what was found, as far as the bits reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baffle.drivers.local.hostile.base import HonestData, Integers, Scene, to_levels
from baffle.errors import ConfigError


@dataclass(frozen=True)
class Scaling(HonestData):
    """factor·q, clipped to the quantiser's limit; a negative factor flips and scales.

    Args:
        factor: finite.
    """

    factor: float = -10.0
    name: ClassVar[str] = "scaling"

    def __post_init__(self) -> None:
        if not math.isfinite(self.factor):
            raise ConfigError(f"{self.name}: expected a finite factor, got {self.factor}")

    def values(self, scene: Scene) -> Integers:
        """Return the scaled values."""
        return to_levels(self.factor * scene.honest.astype(np.float64), scene.quantiser)
