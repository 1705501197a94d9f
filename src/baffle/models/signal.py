"""A small convolutional network for signals, such as those of motion sensors."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from baffle.errors import ModelError
from baffle.models.layers import activation as activation_layer
from baffle.models.layers import norm as norm_layer


def signal(
    in_shape: tuple[int, ...],
    classes: int,
    *,
    widths: tuple[int, int] = (16, 32),
    norm: str = "none",
    activation: str = "hardswish",
) -> nn.Sequential:
    """Conv 5 – norm – act – conv 5 – norm – act, both of stride 2 – mean over time – linear.

    3,286 parameters and 112,832 multiply-adds for (6, 128) and 6 classes. Neither norm nor
    activation has weights.

    Args:
        in_shape: (channels, samples); what an image has behind its channels is taken as one signal.
        classes: number of outputs.
        widths: channels of the two convolutions.
        norm: "none", or "group" (without weights).
        activation: "hardswish", "relu" or "selu".

    Returns:
        The model, with weights that `build` replaces.

    Raises:
        ModelError: rows without an axis of samples, or an unknown norm or activation.

    Example:
        >>> sum(p.numel() for p in signal((6, 128), 6).parameters())
        3286
    """
    if len(in_shape) < 2:
        raise ModelError(
            f"signal: expected rows of shape (channels, samples), got {tuple(in_shape)}; load the "
            "data as signals or choose mlp."
        )
    first, second = widths
    return nn.Sequential(
        OrderedDict(
            samples=nn.Flatten(2),
            conv1=nn.Conv1d(in_shape[0], first, 5, stride=2, padding=2),
            norm1=norm_layer(norm, first),
            act1=activation_layer(activation),
            conv2=nn.Conv1d(first, second, 5, stride=2, padding=2),
            norm2=norm_layer(norm, second),
            act2=activation_layer(activation),
            mean=nn.AdaptiveAvgPool1d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(second, classes),
        )
    )
