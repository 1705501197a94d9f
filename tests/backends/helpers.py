"""A slow truth that shares nothing with the backend: float64 copies, written into one by one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from baffle.backends.torch import TorchProbe, initial_weights, model_signature
from baffle.backends.torch.check import tolerance
from baffle.directions import Place, Points, make_kind

KEY = 7


@dataclass
class Rows:
    """Inputs and targets in memory, as pytrees of tensors."""

    inputs: Any
    targets: Any

    def __len__(self) -> int:
        return len(pytree.tree_leaves(self.targets)[0])

    def batch(self, numbers: np.ndarray) -> tuple[Any, Any]:
        rows = torch.from_numpy(numbers)
        pick = lambda x: x[rows] if len(rows) < len(x) else x  # noqa: E731  # keep strides if whole
        return pytree.tree_map(pick, self.inputs), pytree.tree_map(pick, self.targets)


def mean_square(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square().mean()


def sum_outputs(output: Any, target: Any) -> Tensor:
    """A loss for any output: the mean over examples of a fixed uneven sum."""
    total = 0.0
    for x in pytree.tree_leaves(output):
        flat = x.flatten(1)
        ramp = torch.arange(1, flat.shape[1] + 1, dtype=flat.dtype) / flat.shape[1]
        total = total + (flat * ramp).sum(1).mean() + flat.square().mean()
    return total


def some_points(
    module: nn.Module, kind: str = "rank_one", signs: tuple[int, ...] = (1, -1, 0, 1), **more: Any
) -> Points:
    """Points at unequal radii a tensor; `more` may hold exponents, round, density."""
    n = len(model_signature(module).trained)
    exponents = more.get("exponents") or tuple(-3 - i % 3 for i in range(n))
    return Points(
        Place(KEY, more.get("round", 1)),
        make_kind(kind, KEY, more.get("density", 1.0)),
        exponents,
        np.arange(len(signs), dtype=np.uint32) // 2,
        np.array(signs, dtype=np.int8),
    )


def true_losses(
    module: nn.Module, weights: Mapping[str, Any], points: Points, batch: Any, loss: Callable
) -> tuple[np.ndarray, float]:
    """Return losses in float64 by writing into a float64 copy, and the scale of rounding errors."""
    exact = copy.deepcopy(module).double().eval()
    inputs, targets = pytree.tree_map(_double, batch)
    parameters = dict(exact.named_parameters())
    signature = model_signature(module)
    factors, scales = points.factors(signature, weights), points.scales(signature)
    losses, scale = [], 1.0
    for p in range(len(points)):
        for name, theta in weights.items():
            z = factors[name].dense()[p].astype(np.float64) * float(scales[name][p])
            with torch.no_grad():
                parameters[name].copy_(torch.as_tensor(theta.astype(np.float64) + z))
        with torch.no_grad():
            given = pytree.tree_map(torch.clone, inputs)
            output = exact(*given) if isinstance(given, tuple) else _call(exact, given)
            losses.append(float(loss(output, targets)))
        largest = max(float(x.abs().max()) for x in pytree.tree_leaves(output))
        scale = max(scale, 1 + abs(losses[-1]) + largest)
    return np.array(losses), scale


def _call(module: nn.Module, given: Any) -> Any:
    return module(**given) if isinstance(given, dict) else module(given)


def _double(x: Any) -> Any:
    return x.double() if isinstance(x, Tensor) and x.is_floating_point() else x


def bits(module: nn.Module) -> dict[str, bytes]:
    """Every parameter's and buffer's bytes."""
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {
        name: x.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        for name, x in state.items()
    }


def assert_agrees(
    module: nn.Module,
    inputs: Any,
    targets: Any,
    points: Points,
    loss: Callable = sum_outputs,
    operations: int = 12,
    **options: Any,
) -> TorchProbe:
    """Probe and compare with the truth within rounding; return the probe."""
    weights = initial_weights(module)
    before = bits(module)
    rows = Rows(inputs, targets)
    probe = TorchProbe(module, loss, rows, **options)
    numbers = np.arange(len(rows))
    found = probe(weights, points, numbers)
    expected, scale = true_losses(module, weights, points, rows.batch(numbers), loss)
    within = tolerance(torch.float32, operations, scale)
    assert found.dtype == np.float64
    assert found.shape == (len(points),)
    assert np.abs(found - expected).max() <= within, (probe.route, found - expected, within)
    assert bits(module) == before
    return probe
