"""Look-ups in a table that differs by point: row v is W[v] + σ out[v] inner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from baffle.backends.torch.moved import Moved
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def embedding(
    run: Pass, input: Tensor, weight: Tensor, padding_idx: int | None = None,
    max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:  # fmt: skip
    """Return the rows of the table at the given numbers, at every point."""
    table = run.moved(weight)
    if table is None or run.moved(input) is not None:
        raise Unsupported("embedding", "numbers computed from parameters")
    if max_norm is not None:
        raise Unsupported("embedding", "max_norm, which writes into the table")
    if run.folded(input):
        return _by_example(run, run.real(input), table)
    return run.keep(Moved(F.embedding(input, table.base), dense=_alike(run, input, table)))


def _by_example(run: Pass, numbers: Tensor, table: Moved) -> Tensor:
    """Return rows [P·B, ..., D] for numbers [P·B, ...]."""
    by_point = numbers.reshape(run.points, -1)
    if table.low is None:
        shifted = by_point + table.base.shape[0] * torch.arange(run.points, device=numbers.device)[:, None]
        return F.embedding(shifted.view(numbers.shape), table.values.flatten(0, 1))
    y = F.embedding(numbers, table.base)
    scale = table.low.out.gather(1, by_point)
    y.view(run.points, by_point.shape[1], -1).addcmul_(scale.unsqueeze(2), table.low.inner.unsqueeze(1))
    return y


def _alike(run: Pass, numbers: Tensor, table: Moved) -> Tensor:
    """Return rows [P, ..., D] for numbers that all examples share, such as positions."""
    if table.low is None:
        return table.values[:, numbers]
    inner = table.low.inner.view(run.points, *[1] * numbers.dim(), -1)
    return F.embedding(numbers, table.base) + table.low.out[:, numbers].unsqueeze(-1) * inner


RULES = {F.embedding: embedding}
