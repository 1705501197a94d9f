"""A word of warning where a run would fill a pruned model's zeros."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from baffle.baselines import BASELINES
from baffle.config import Settings
from baffle.models.checks.pruned import pruned_tensors
from baffle.models.checks.tensors import some

logger = logging.getLogger(__name__)
KEEPING = "masked"


def warn_of_zeros(settings: Settings, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Log a warning if the first weights look pruned and the run's directions fill zeros.

    Args:
        settings: of the run.
        weights: it begins with, by name.
    """
    if settings.algorithm in BASELINES or settings.probe.directions == KEEPING:
        return
    found = pruned_tensors(weights)
    if found:
        zeros = sum(int(np.count_nonzero(weights[name] == 0)) for name in found)
        logger.warning(
            "%d entries of a pruned model are zero (%s), and %s directions fill them: "
            'probe.directions = "%s" keeps them at zero',
            zeros,
            some(found),
            settings.probe.directions,
            KEEPING,
        )
