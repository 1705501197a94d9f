"""Colluders pull against the mean of what they found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baffle.drivers.local.hostile.base import HonestData, Integers, Scene, to_levels
from baffle.errors import ConfigError


@dataclass(frozen=True)
class InnerProduct(HonestData):
    """Every colluder sends −factor · mean of the colluders' honest values.

    With a small factor it is shorter than an honest report, and a rule that looks for what is far
    away does not see it.

    Args:
        factor: above 0.

    Source: Xie, Koyejo, Gupta, "Fall of Empires", UAI 2019.
    """

    factor: float = 1.0
    name: ClassVar[str] = "inner_product"

    def __post_init__(self) -> None:
        if not 0 < self.factor < math.inf:
            raise ConfigError(f"{self.name}: expected a factor above 0, got {self.factor}")

    def values(self, scene: Scene) -> Integers:
        """Return the same row for every colluder."""
        row = -self.factor * scene.honest.mean(axis=0)
        return np.tile(to_levels(row, scene.quantiser), (len(scene.honest), 1))
