"""What only running a module shows: does it, always alike, and each row on its own?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from baffle.models.checks.calls import one_line
from baffle.models.checks.shelter import arguments, sheltered

SAME = 1e-5
"""Relative difference up to which two evaluations are one; some devices vary in the last bits."""


@dataclass(frozen=True)
class Trial:
    """What was found out in eval mode, without gradients.

    Args:
        error: what forward raised; "" if it ran.
        varies: two evaluations of the same inputs differ.
        mixes: the first row's outputs depend on the other rows.
        written: names of the buffers that forward wrote to.
    """

    error: str = ""
    varies: bool = False
    mixes: bool = False
    written: tuple[str, ...] = ()


def example_rows(module: nn.Module, in_shape: tuple[int, ...], rows: int = 4) -> Tensor:
    """Rows of numbers to try a module on, the same ones each time.

    Args:
        module: whose first floating parameter says dtype and device.
        in_shape: shape of one row.
        rows: how many, at least 2 to see whether they are mixed.

    Returns:
        A tensor [rows, *in_shape].

    Example:
        >>> example_rows(nn.Linear(3, 2), (3,)).shape
        torch.Size([4, 3])
    """
    generator = torch.Generator().manual_seed(0)
    values = torch.randn((rows, *in_shape), generator=generator)
    like = next((p for p in module.parameters() if p.is_floating_point()), values)
    return values.to(like.device, like.dtype)


def try_out(module: nn.Module, example: Any) -> Trial:
    """Evaluate an example twice, and its first row alone.

    Args:
        module: left as it was.
        example: inputs, as in `Subject`.

    Returns:
        What was found.

    Example:
        >>> try_out(nn.Linear(3, 2), torch.ones(4, 3))
        Trial(error='', varies=False, mixes=False, written=())
    """
    try:
        with sheltered(module) as buffers, torch.inference_mode():
            versions = {name: b._version for name, b in buffers.items()}
            first = _outputs(module, example)
            now = dict(module.named_buffers())
            second = _outputs(module, example)
            varies = _differ(first, second, SAME)
            kept = {n for n, b in buffers.items() if now.get(n) is b and b._version == versions[n]}
            written = tuple(n for n in buffers if n not in kept)
            mixes = not varies and not written and _mixes(module, example, first)
    except Exception as error:  # the user's code may raise anything
        return Trial(error=one_line(error))
    return Trial("", varies, mixes, written)


def _outputs(module: nn.Module, inputs: Any) -> list[Tensor]:
    args, kwargs = arguments(inputs)
    leaves = pytree.tree_leaves(module(*args, **kwargs))
    return [x.clone() for x in leaves if isinstance(x, Tensor) and not x.is_complex()]


def _differ(some: list[Tensor], others: list[Tensor], tolerance: float) -> bool:
    if [x.shape for x in some] != [x.shape for x in others]:
        return True
    return any(not _close(a, b, tolerance) for a, b in zip(some, others, strict=True))


def _close(a: Tensor, b: Tensor, tolerance: float) -> bool:
    finite = a.isfinite()
    bound = tolerance * float(a[finite].abs().max()) if bool(finite.any()) else 0.0
    return torch.allclose(a.double(), b.double(), rtol=0, atol=bound, equal_nan=True)


def _mixes(module: nn.Module, example: Any, outputs: list[Tensor]) -> bool:
    """Say whether the first row gives something else alone, if rows can be told apart."""
    rows = {len(x) for x in pytree.tree_leaves(example) if isinstance(x, Tensor) and x.dim()}
    if len(rows) != 1 or rows == {1} or any(x.shape[:1] != (*rows,) for x in outputs):
        return False
    first = pytree.tree_map_only(Tensor, lambda x: x[:1] if x.dim() else x, example)
    try:
        alone = _outputs(module, first)
    except Exception:  # one that takes no single row cannot be told
        return False
    return _differ([x[:1] for x in outputs], alone, max(map(_rounding, outputs), default=0.0))


def _rounding(x: Tensor) -> float:
    """Return how far a product of another shape may round apart; mixing shows far above that."""
    return 0.1 if x.dtype in (torch.float16, torch.bfloat16) else 1e-3
