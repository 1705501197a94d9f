"""Directions: key and tensor to unit-variance integers. One row a kind."""

from __future__ import annotations

from baffle.directions.gaussian import Gaussian
from baffle.directions.kind import Kind, Place
from baffle.directions.masked import DENSITY_STEPS, Masked
from baffle.directions.points import Points, Probe
from baffle.directions.rademacher import Rademacher
from baffle.directions.rank_one import RankOneKind
from baffle.directions.signature import ModelSignature, TensorSpec
from baffle.errors import ConfigError

KINDS: dict[str, type[Kind]] = {k.name: k for k in (RankOneKind, Rademacher, Gaussian, Masked)}


def make_kind(name: str, key: int, density: float = 1.0) -> Kind:
    """Return the kind of that name for a run.

    Args:
        name: a row of KINDS.
        key: the run key (masked directions draw their subset from it).
        density: share of entries for masked directions.

    Raises:
        ConfigError: no such kind.

    Example:
        >>> make_kind("rank_one", key=1).name
        'rank_one'
    """
    if name not in KINDS:
        raise ConfigError(f"direction kind must be one of {', '.join(KINDS)}, got {name!r}")
    return Masked(density, key) if name == Masked.name else KINDS[name]()


__all__ = [
    "DENSITY_STEPS",
    "KINDS",
    "Kind",
    "ModelSignature",
    "Place",
    "Points",
    "Probe",
    "TensorSpec",
    "make_kind",
]
