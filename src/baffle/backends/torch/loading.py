"""Weights into a module, once: loaded again unless they are surely what is there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import nn

from baffle.backends.torch.adapter import Weights, load_weights, trained_parameters


def _frozen(array: object) -> bool:
    """Say whether nobody can have written to an array: it and all that it views are read-only."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        if array.base is None:
            return True
        array = array.base
    return isinstance(array, bytes)


class Loader:
    """Load weights into one module.

    Loading is skipped only for read-only arrays that are the very ones loaded last, into parameters
    that torch's version counter says nobody has written to since. A writable array may have changed
    in place, so it is always loaded: a copy of the model a call.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.parameters = list(trained_parameters(module).values())
        self.last: dict[str, object] = {}
        self.versions: list[tuple[int, int]] = []

    def load(self, weights: Weights) -> None:
        """Make the module's parameters those weights.

        Raises:
            ModelError: names or shapes do not fit.
        """
        if self._surely_loaded(weights):
            return
        load_weights(self.module, weights)
        keep = all(map(_frozen, weights.values()))
        self.last, self.versions = (dict(weights), self._now()) if keep else ({}, [])

    def _now(self) -> list[tuple[int, int]]:
        """Return where each parameter lies and how often it was written to; [] if unknown."""
        if any(p.is_inference() for p in self.parameters):
            return []
        return [(p.data_ptr(), p._version) for p in self.parameters]

    def _surely_loaded(self, weights: Mapping[str, object]) -> bool:
        if not self.versions or weights.keys() != self.last.keys():
            return False
        same = all(array is self.last[name] for name, array in weights.items())
        return same and self.versions == self._now()
