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
    if run.moved(weight) is None or run.moved(input) is not None:
        raise Unsupported("embedding", "numbers computed from parameters")
    if max_norm is not None:
        raise Unsupported("embedding", "max_norm, which writes into the table")
    return rows_of(run, weight, input)


def rows_of(run: Pass, weight: Tensor, numbers: Tensor, signed: bool = False) -> Tensor:
    """Return the rows of a moved matrix at numbers of the examples, or at constant ones.

    Numbers that the module made for P·B examples, on two axes or more, count as the examples'.
    Signed ones count from the end where they are below zero.
    """
    table = run.moved(weight)
    if table is None or weight.dim() != 2:
        raise Unsupported("embedding", f"a table of shape {tuple(weight.shape)}")
    own = run.folded(numbers) or (numbers.dim() > 1 and len(numbers) == run.rows)
    numbers = run.real(numbers)
    numbers = numbers.remainder(len(weight)) if signed else numbers
    if own:
        return _by_example(run, table, numbers)
    everywhere = numbers.reshape(1, -1).expand(run.points, -1)
    delta = _rows(table.delta, everywhere).reshape(run.points, *numbers.shape, weight.shape[1])
    return run.keep(Moved(functional.embedding(numbers, table.base), delta))


def _by_example(run: Pass, table: Moved, numbers: Tensor) -> Tensor:
    y = functional.embedding(numbers, table.base)
    by_point = numbers.reshape(run.points, -1)
    y.view(run.points, by_point.shape[1], -1).add_(_rows(table.delta, by_point))
    return y


def _rows(delta: Delta, numbers: Tensor) -> Tensor:
    """Return the delta's rows [P, n, D] at numbers [P, n]."""
    if isinstance(delta, Tensor):
        points = torch.arange(len(delta), device=delta.device).unsqueeze(1)
        return delta[points, numbers]
    return delta.out.gather(1, numbers.long()).unsqueeze(2) * delta.inner.unsqueeze(1)


def bag(
    run: Pass,
    input: Tensor,  # noqa: A002
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return the sum, mean or largest of an example's rows, at every point."""
    table = run.moved(weight)
    if table is None or not run.folded(input) or input.dim() != 2 or run.moved(per_sample_weights):
        raise Unsupported("embedding_bag", "bags other than one row of numbers an example")
    if max_norm is not None:
        raise Unsupported("embedding_bag", "max_norm, which writes into the table")
    numbers = run.real(input)
    counted = _counted(numbers, padding_idx, len(weight))
    if mode == "max":
        rows = _by_example(run, table, numbers)
        largest = rows.masked_fill(~counted.unsqueeze(2), -torch.inf).amax(dim=1)
        return largest.masked_fill_(~counted.any(dim=1, keepdim=True), 0)
    shares = counted.to(table.base.dtype)
    if per_sample_weights is not None:
        shares = shares * run.real(per_sample_weights)
    if mode == "mean":
        shares = shares / shares.sum(dim=1, keepdim=True).clamp_(min=1)
    return _summed(run, table, numbers, shares)


def _counted(numbers: Tensor, padding_idx: int | None, size: int) -> Tensor:
    """Return which numbers take part: all but the padding."""
    if padding_idx is None:
        return torch.ones_like(numbers, dtype=torch.bool)
    return numbers != padding_idx % size


def _summed(run: Pass, table: Moved, numbers: Tensor, shares: Tensor) -> Tensor:
    """Return the sum of shares [P·B, n] times rows at numbers [P·B, n], [P·B, D]."""
    y = functional.embedding_bag(numbers, table.base, mode="sum", per_sample_weights=shares)
    by_point, delta = numbers.view(run.points, -1), table.delta
    split = shares.view(run.points, -1, shares.shape[1])
    if isinstance(delta, Tensor):
        rows = _rows(delta, by_point).view(*split.shape, -1)
        run.split(y).add_((split.unsqueeze(2) @ rows).squeeze(2))
        return y
    sums = (split * delta.out.gather(1, by_point.long()).view(split.shape)).sum(dim=2)
    run.split(y).addcmul_(sums.unsqueeze(2), delta.inner.unsqueeze(1))
    return y


RULES = {functional.embedding: embedding, torch.embedding: embedding, functional.embedding_bag: bag}
