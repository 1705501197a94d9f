"""A little is enough: colluders hide within the spread of the honest values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import numpy as np

from baffle.drivers.local.hostile.base import HonestData, Integers, Scene, to_levels
from baffle.errors import ConfigError

SURE = 0.999  # a hostile majority could go any distance: it goes this far


@dataclass(frozen=True)
class ALittleIsEnough(HonestData):
    """Every colluder sends mean − z·std, of the honest values that the colluders would have sent.

    z is the largest at which enough honest clients lie still further out to make a majority with
    the colluders: the normal quantile of (n − m − s)/(n − m) with s = floor(n/2 + 1) − m. It
    grows with the hostile share and is 0 where that is small (2 of 10): there the colluders need
    too many honest supporters, and the published attack has nothing to gain. One colluder knows
    no spread and sends what it found.

    Args:
        z: in standard deviations; None: by the formula, at least 0.

    Source: Baruch, Baruch, Goldberg, "A Little Is Enough", NeurIPS 2019.
    """

    z: float | None = None
    name: ClassVar[str] = "alie"

    def __post_init__(self) -> None:
        if self.z is not None and not math.isfinite(self.z):
            raise ConfigError(f"{self.name}: expected a finite z, got {self.z}")

    def values(self, scene: Scene) -> Integers:
        """Return the same row for every colluder."""
        known = scene.honest.astype(np.float64)
        m = len(known)
        z = largest_z(scene.clients, m) if self.z is None else self.z
        spread = known.std(axis=0, ddof=1) if m > 1 else 0.0
        row = to_levels(known.mean(axis=0) - z * spread, scene.quantiser)
        return np.tile(row, (m, 1))


def largest_z(clients: int, hostile: int) -> float:
    """Return z of n clients and m colluders.

    Example:
        >>> round(largest_z(50, 24), 2), largest_z(10, 2)
        (1.43, 0.0)
    """
    honest = clients - hostile
    supporters = clients // 2 + 1 - hostile
    if supporters < 1:
        return NormalDist().inv_cdf(SURE)
    share = (honest - supporters) / honest
    return NormalDist().inv_cdf(share) if share > 0.5 else 0.0
