"""Normalisations: statistics as the module has them, then a scale and shift by point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.rules.rows import examples_first
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


@examples_first
def layer_norm(
    run: Pass,
    input: Tensor,  # noqa: A002
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    """Return the layer norm at every point."""
    run.require_folded("layer_norm", input)
    y = functional.layer_norm(run.real(input), normalized_shape, eps=eps)
    return _affine(run, y, weight, bias, y.dim() - len(normalized_shape))


@examples_first
def rms_norm(
    run: Pass,
    input: Tensor,  # noqa: A002
    normalized_shape: Any,
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Return the root-mean-square norm at every point."""
    run.require_folded("rms_norm", input)
    y = functional.rms_norm(run.real(input), normalized_shape, eps=eps)
    return _affine(run, y, weight, None, y.dim() - len(normalized_shape))


def group_norm(
    run: Pass,
    input: Tensor,  # noqa: A002
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    """Return the group norm at every point; scale and shift are by channel."""
    run.require_folded("group_norm", input)
    y = functional.group_norm(run.real(input), num_groups, eps=eps)
    return _affine(run, y, weight, bias, 1)


def batch_norm(
    run: Pass,
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return the batch norm at every point; in eval mode it is a scale and shift by channel."""
    run.require_folded("batch_norm", input)
    if training or running_mean is None or running_var is None:
        raise Unsupported("batch_norm", "statistics of the batch")
    if run.moved(running_mean) or run.moved(running_var):
        raise Unsupported("batch_norm", "trained statistics")
    x = run.real(input)
    if x.dim() > 2 and x.is_contiguous() and (run.moved(weight) or run.moved(bias)):
        return _batch_norm_by_image(run, x, running_mean, running_var, weight, bias, eps)
    y = functional.batch_norm(x, running_mean, running_var, eps=eps)
    return _affine(run, y, weight, bias, 1)


def _batch_norm_by_image(
    run: Pass,
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    """Let one kernel do it, for which each channel of each image is a channel of its own."""
    images, channels = x.shape[:2]

    def each(values: Tensor | None) -> Tensor | None:
        """Repeat [C] for all images, or [P, C] for each point's."""
        if values is None:
            return None
        moved = run.moved(values)
        by_point = (moved.values if moved else values.unsqueeze(0)).unsqueeze(1)
        points = run.points if moved else 1
        return by_point.expand(points, images // points, channels).reshape(-1)

    flat = x.view(1, images * channels, *x.shape[2:])
    weight, bias = each(weight), each(bias)
    return functional.batch_norm(flat, each(mean), each(variance), weight, bias, eps=eps).view(
        x.shape
    )


def instance_norm(
    run: Pass,
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return the instance norm at every point; scale and shift are by channel."""
    run.require_folded("instance_norm", input)
    if run.moved(running_mean) or run.moved(running_var):
        raise Unsupported("instance_norm", "trained statistics")
    if running_mean is not None and use_input_stats:
        raise Unsupported("instance_norm", "it writes statistics")
    x = run.real(input)
    y = functional.instance_norm(
        x, running_mean, running_var, None, None, use_input_stats, momentum, eps
    )
    return _affine(run, y, weight, bias, 1)


def _affine(run: Pass, y: Tensor, weight: Tensor | None, bias: Tensor | None, axis: int) -> Tensor:
    """Scale and shift the fresh y [P·B, ...] in place by parameters that stand from `axis` on."""
    out = run.split(y)
    scale = None if weight is None else _from_axis(run, weight, out, axis + 1)
    shift = None if bias is None else _from_axis(run, bias, out, axis + 1)
    if scale is not None and shift is not None:
        torch.addcmul(shift, out, scale, out=out)
    elif scale is not None:
        out.mul_(scale)
    elif shift is not None:
        out.add_(shift)
    return y


def _from_axis(run: Pass, parameter: Tensor, out: Tensor, axis: int) -> Tensor:
    """Shape a parameter [P or 1, 1, …, *shape, 1, …] to stand from an axis of `out` on."""
    moved = run.moved(parameter)
    values = moved.values if moved else parameter.unsqueeze(0)
    shape = values.shape[1:]
    behind = out.dim() - axis - len(shape)
    return values.view(len(values), *[1] * (axis - 1), *shape, *[1] * behind)


RULES = {
    functional.layer_norm: layer_norm,
    torch.layer_norm: layer_norm,
    functional.rms_norm: rms_norm,
    torch.rms_norm: rms_norm,
    functional.group_norm: group_norm,
    torch.group_norm: group_norm,
    functional.batch_norm: batch_norm,
    functional.instance_norm: instance_norm,
}
