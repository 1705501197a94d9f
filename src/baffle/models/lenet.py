"""The LeNet of the BAFFLE paper."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from baffle.models.layers import activation as activation_layer
from baffle.models.layers import image_shape
from baffle.models.layers import norm as norm_layer


def lenet(
    in_shape: tuple[int, ...],
    classes: int,
    *,
    widths: tuple[int, int] = (16, 64),
    norm: str = "none",
    activation: str = "hardswish",
) -> nn.Sequential:
    """Conv 5×5 – norm – act – max pool – conv 5×5 – norm – act – global average – linear.

    26,730 parameters for (1, 32, 32) and 10 classes, 27,530 for (3, 32, 32); with widths (32, 128)
    and 100 classes 117,860. Neither norm nor activation has weights.

    Args:
        in_shape: (channels, height, width), 2 pixels a side or more.
        classes: number of outputs.
        widths: channels of the two convolutions.
        norm: "none", or "group" (without weights).
        activation: "hardswish", "relu" or "selu".

    Returns:
        The model, with weights that `build` replaces.

    Raises:
        ModelError: rows that are not images, or an unknown norm or activation.

    Example:
        >>> sum(p.numel() for p in lenet((1, 32, 32), 10).parameters())
        26730
    """
    channels, _, _ = image_shape("lenet", in_shape, least=2)
    first, second = widths
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, first, 5, padding=2),
            norm1=norm_layer(norm, first),
            act1=activation_layer(activation),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(first, second, 5, padding=2),
            norm2=norm_layer(norm, second),
            act2=activation_layer(activation),
            pool2=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(second, classes),
        )
    )
