"""The digits' perceptron with half of each matrix at zero: what the pruned federation begins with.

The same for everyone who runs this file: initial weights are a function of the seed.
"""

from __future__ import annotations

from baffle.models import build
from baffle.models.prune import by_magnitude


def half():
    """Return the model."""
    return by_magnitude(build("mlp", (64,), classes=10, seed=0), 0.5)
