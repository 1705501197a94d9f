"""Evaluate in bfloat16 what is trained in float32: a client's own business.

The state, the directions and the integers stay what they are; only losses change a little. A copy
of the module in bfloat16 is probed, and batches are cast. In the batched pass what is added at a
point is computed beside the rounded weights, so that more of a small radius survives than in a
perturbed copy, whose entries are rounded again (docs/performance.md has figures).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from baffle.backends.torch.examples import Examples
from baffle.errors import ConfigError

PRECISIONS: dict[str, torch.dtype | None] = {"": None, "own": None, "bfloat16": torch.bfloat16}


def precision_of(name: str) -> torch.dtype | None:
    """Return the type to evaluate in, None for the module's own.

    Raises:
        ConfigError: no such precision.
    """
    if name not in PRECISIONS:
        known = ", ".join(n for n in PRECISIONS if n)
        raise ConfigError(f"precision must be one of {known}, got {name!r}")
    return PRECISIONS[name]


def in_precision(module: nn.Module, dtype: torch.dtype | None) -> nn.Module:
    """Return the module, or a copy of it in this type."""
    return module if dtype is None else copy.deepcopy(module).to(dtype)


@dataclass(frozen=True)
class CastExamples:
    """Examples whose floating inputs come in another type; targets stay."""

    examples: Examples
    dtype: torch.dtype

    def __len__(self) -> int:
        return len(self.examples)

    def batch(self, numbers: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return (inputs, targets) of these examples, in this order."""
        inputs, targets = self.examples.batch(numbers)
        cast = lambda x: x.to(self.dtype) if x.is_floating_point() else x  # noqa: E731
        return pytree.tree_map_only(Tensor, cast, inputs), targets


def examples_in(examples: Examples, dtype: torch.dtype | None) -> Examples:
    """Return the examples as a module of this type takes them."""
    return examples if dtype is None else CastExamples(examples, dtype)
