"""What a form is, and what of it a state must keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from baffle.backends.torch import initial_weights
from baffle.updates.grid import LARGEST, STEP_EXPONENT, on_grid

Slots = Mapping[str, Mapping[str, NDArray[np.float32]]]
Check = Callable[[Slots], None]
HELD = ("weights", "ema")  # slots that are models
ROWS = 128  # of a pass that measures norms


@dataclass(frozen=True)
class Form:
    """A compressed form.

    Args:
        make: (module, calibration examples) to the compressed copy and the check of its states.
        settings: of a run in this form, over the task's.
        own_step: whether its step size is its own, since its weights have other units than floats.
    """

    make: Callable[[nn.Module, Tensor], tuple[nn.Module, Check]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    own_step: bool = False


def norms_measured(module: nn.Module, examples: Tensor) -> nn.Module:
    """Measure running statistics of batch norms anew, in place, by forward passes; return it.

    Pruned layers give their norms other inputs than those that the statistics are of.
    """
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over batches
        norm.train()
    if norms:
        with torch.no_grad():
            for rows in examples.split(ROWS):
                module(rows)
    return module.eval()


MASKED: Mapping[str, Any] = {"probe": {"directions": "masked"}}


def shapes_of(module: nn.Module) -> Check:
    """Return the check that tensors have the sizes that they have now."""
    shapes = {name: w.shape for name, w in initial_weights(module).items()}

    def check(slots: Slots) -> None:
        for slot in HELD:
            if slot in slots:
                found = {name: w.shape for name, w in slots[slot].items()}
                assert found == shapes, f"{slot}: expected {shapes}, got {found}"

    return check


def zeros_of(module: nn.Module) -> Check:
    """Return the check that what is zero now in matrices and kernels is exactly zero."""
    weights = initial_weights(module)
    zeros = {name: w == 0 for name, w in weights.items() if w.ndim >= 2}
    assert any(where.any() for where in zeros.values()), "expected zeros to keep, found none"

    def check(slots: Slots) -> None:
        for slot in HELD:
            for name, where in zeros.items() if slot in slots else ():
                lost = np.count_nonzero(slots[slot][name][where])
                assert not lost, f"{slot}: {lost} zeros of {name} are none any more"

    return check


def int8_of(module: nn.Module, between: bool = True) -> Check:
    """Return the check that int8 weights leave room for a step, and else lie on their grid.

    Args:
        module: with int8 layers.
        between: whether weights may be kept between the steps; an average always may.
    """
    names = [name for name in initial_weights(module) if on_grid(name)]
    assert names, "expected int8 weights, found none"

    def check(slots: Slots) -> None:
        for slot in HELD:
            for name in names if slot in slots else ():
                steps = slots[slot][name] * 2.0**-STEP_EXPONENT
                assert np.abs(steps).max() <= LARGEST, f"{slot}: {name} leaves its range"
                if slot == "weights" and not between:
                    assert (steps == np.round(steps)).all(), f"{name} has left its grid"

    return check
