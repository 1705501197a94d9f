"""Parameters seen another way. What has no rule here is evaluated at each point (Pass.by_point)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from baffle.backends.torch.moved import Moved
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def transposed(run: Pass, input: Tensor) -> Tensor:  # noqa: A002
    """Return a matrix transposed, its factors kept."""
    moved = run.moved(input)
    if moved is None or input.dim() != 2:
        raise Unsupported("t", "only a matrix that differs by point has this rule")
    return run.keep(moved.transposed)


def transpose(run: Pass, input: Tensor, dim0: int, dim1: int) -> Tensor:  # noqa: A002
    """Return a tensor with two axes swapped, a matrix with its factors kept."""
    if input.dim() == 2 and dim0 % 2 != dim1 % 2:
        return transposed(run, input)
    return run.by_point(torch.transpose, (input, dim0, dim1), {})


def same(run: Pass, input: Tensor, *_: Any, **__: Any) -> Tensor:  # noqa: A002
    """Return a parameter as it is: detaching and the like change no value."""
    moved = run.moved(input)
    assert moved is not None
    return run.keep(Moved(moved.base.detach(), moved.delta))


def _getter(name: str) -> Any:
    return vars(torch._C.TensorBase)[name].__get__


RULES = {
    torch.Tensor.t: transposed,
    torch.t: transposed,
    _getter("T"): transposed,
    _getter("mT"): transposed,
    torch.Tensor.transpose: transpose,
    torch.transpose: transpose,
    torch.Tensor.detach: same,
    torch.Tensor.contiguous: same,
    _getter("data"): same,
}
