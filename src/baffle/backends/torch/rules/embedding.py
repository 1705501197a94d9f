"""Look-ups in a table that differs by point: row v is W[v] + σ out[v] inner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.moved import Delta, Moved
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def embedding(
    run: Pass,
    input: Tensor,  # noqa: A002
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    *_: Any,
    **__: Any,
) -> Tensor:
    """Return the rows of the table at the given numbers, at every point."""
    table = run.moved(weight)
    if table is None or run.moved(input) is not None:
        raise Unsupported("embedding", "numbers computed from parameters")
    if max_norm is not None:
        raise Unsupported("embedding", "max_norm, which writes into the table")
    if run.folded(input):
        numbers = run.real(input)
        y = functional.embedding(numbers, table.base)
        by_point = numbers.reshape(run.points, -1)
        y.view(run.points, by_point.shape[1], -1).add_(_rows(table.delta, by_point))
        return y
    everywhere = input.reshape(1, -1).expand(run.points, -1)
    delta = _rows(table.delta, everywhere).reshape(run.points, *input.shape, weight.shape[1])
    return run.keep(Moved(functional.embedding(input, table.base), delta))


def _rows(delta: Delta, numbers: Tensor) -> Tensor:
    """Return the delta's rows [P, n, D] at numbers [P, n]."""
    if isinstance(delta, Tensor):
        points = torch.arange(len(delta), device=delta.device).unsqueeze(1)
        return delta[points, numbers]
    return delta.out.gather(1, numbers.long()).unsqueeze(2) * delta.inner.unsqueeze(1)


RULES = {functional.embedding: embedding}
