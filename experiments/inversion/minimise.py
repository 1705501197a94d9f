"""Many minimisations at once by L-BFGS, each with a step length of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

MEMORY = 20  # pairs kept
SHRINK, TRIES, SLOPE = 0.35, 8, 1e-4  # of the line search: backtracking with Armijo's condition
FIRST = 0.1  # root mean square of the first step

Function = Callable[[Tensor], tuple[Tensor, Tensor]]
Pair = tuple[Tensor, Tensor, Tensor]


def minimise(function: Function, start: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Return where each row ends, and its value there, never above the value at its start.

    Args:
        function: rows [S, D] to values [S] and gradients [S, D]; a row's depend on it alone.
        start: float32 [S, D].
        iterations: how many; a row that finds no lower place stays where it is.

    Example:
        >>> square = lambda x: ((x**2).sum(1), 2 * x)
        >>> minimise(square, torch.ones(2, 3), 20)[1].max().item() < 1e-6
        True
    """
    x, (value, slope) = start, function(start)
    pairs: deque[Pair] = deque(maxlen=MEMORY)
    for _ in range(iterations):
        way = _direction(slope, pairs)
        new, new_value, new_slope = _search(function, x, value, slope, way)
        pairs.append(_pair(new - x, new_slope - slope))
        x, value, slope = new, new_value, new_slope
    return x, value


def _direction(slope: Tensor, pairs: deque[Pair]) -> Tensor:
    """Return the two-loop recursion's direction, downhill in every row."""
    q, shares = slope.clone(), []
    for s, y, rho in reversed(pairs):
        shares.append(rho * _dot(s, q))
        q -= shares[-1][:, None] * y
    q *= _scale(slope, pairs)[:, None]
    for s, y, rho in pairs:
        q += (shares.pop() - rho * _dot(y, q))[:, None] * s
    uphill = _dot(q, slope) <= 0
    return -torch.where(uphill[:, None], slope, q)


def _scale(slope: Tensor, pairs: deque[Pair]) -> Tensor:
    if not pairs:
        length = slope.square().sum(dim=1).sqrt().clamp_min(1e-20)
        return torch.full_like(length, FIRST * slope.shape[1] ** 0.5) / length
    s, y, rho = pairs[-1]
    found = _dot(s, y) / _dot(y, y).clamp_min(1e-30)
    return torch.where(rho > 0, found, torch.ones_like(found))


def _search(
    function: Function, x: Tensor, value: Tensor, slope: Tensor, way: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the next rows, values and gradients; a row without a lower place is left alone."""
    step, down = torch.ones(len(x)), _dot(slope, way)
    for _ in range(TRIES):
        new = x + step[:, None] * way
        new_value, new_slope = function(new)
        if bool((enough := new_value <= value + SLOPE * step * down).all()):
            break
        step = torch.where(enough, step, SHRINK * step)
    lower = new_value <= value
    return (
        torch.where(lower[:, None], new, x),
        torch.where(lower, new_value, value),
        torch.where(lower[:, None], new_slope, slope),
    )


def _pair(s: Tensor, y: Tensor) -> Pair:
    """Return a step and its change of slope with 1 / (s·y), all zero where that is not positive."""
    product = _dot(s, y)
    good = product > 1e-12 * _dot(y, y)
    rho = torch.where(good, 1 / product.clamp_min(1e-30), torch.zeros_like(product))
    none = torch.zeros_like(s)
    return torch.where(good[:, None], s, none), torch.where(good[:, None], y, none), rho


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(dim=1)
