"""Weights that a module computes from parameters, and distances to them.

What is computed from parameters alone holds every entry at every point; what reads it takes the
dense form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.moved import Moved
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def weight_norm(run: Pass, v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """Return g v / |v| at every point, norms over all axes but `dim` (all of them for -1).

    `torch._weight_norm` itself cannot be mapped over points.
    """
    if run.folded(v) or run.folded(g):
        raise Unsupported("weight_norm", "a weight that is an activation")
    direction, size = (_values(run, x) for x in (v, g))
    summed = [n + 1 for n in range(v.dim()) if dim == -1 or n != dim % v.dim()]
    norm = torch.linalg.vector_norm(direction, dim=summed, keepdim=True)
    values = direction * (size.reshape(len(size), *g.shape, *[1] * (v.dim() - g.dim())) / norm)
    base = torch._weight_norm(_base(run, v), _base(run, g), dim)
    return run.keep(Moved(base.detach(), values - base))


def _values(run: Pass, x: Tensor) -> Tensor:
    moved = run.moved(x)
    return x.unsqueeze(0) if moved is None else moved.values


def _base(run: Pass, x: Tensor) -> Tensor:
    moved = run.moved(x)
    return x if moved is None else moved.base


def normalize(
    run: Pass,
    input: Tensor,  # noqa: A002
    p: float = 2.0,
    dim: int = 1,
    eps: float = 1e-12,
    out: Tensor | None = None,
) -> Tensor:
    """Return rows of a parameter divided by their norms, at every point."""
    if out is not None:
        raise Unsupported("normalize", "an output that is given")
    return run.by_point(functional.normalize, (input, p, dim, eps), {})


def cosine(run: Pass, x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine between activations and parameters at every point."""
    if not (run.folded(x1) or run.folded(x2)):
        return run.by_point(functional.cosine_similarity, (x1, x2, dim, eps), {})
    axis = dim if dim < 0 else dim - max(x1.dim(), x2.dim())
    with run:
        one, two = (x / x.norm(dim=axis, keepdim=True).clamp_min(eps) for x in (x1, x2))
        return (one * two).sum(axis)


def distance(run: Pass, x1: Tensor, x2: Tensor, p: float = 2.0, **_: object) -> Tensor:
    """Return the distances from each example's rows to the rows of a parameter."""
    centres = run.moved(x2)
    if centres is None or x2.dim() != 2 or not run.folded(x1) or x1.shape[0] % run.rows:
        raise Unsupported("cdist", "anything but rows of activations to rows of a parameter")
    rows = run.real(x1).reshape(run.points, -1, x1.shape[-1])
    return torch.cdist(rows, centres.values, p).view(*x1.shape[:-1], -1)


RULES = {
    torch._weight_norm: weight_norm,
    functional.normalize: normalize,
    functional.cosine_similarity: cosine,
    torch.cosine_similarity: cosine,
    torch.cdist: distance,
}
