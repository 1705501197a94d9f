"""A small convolutional network for images that suits forward passes: few weights, few products."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from baffle.models.layers import activation as activation_layer
from baffle.models.layers import image_shape
from baffle.models.layers import norm as norm_layer


def convnet(
    in_shape: tuple[int, ...],
    classes: int,
    *,
    widths: tuple[int, int] = (8, 16),
    norm: str = "group",
    activation: str = "hardswish",
) -> nn.Sequential:
    """Conv 5×5 – norm – act – conv 3×3 – norm – act, both of stride 2 – average 2×2 – linear.

    2,826 parameters and 97,088 multiply-adds for (1, 28, 28) and 10 classes: a seventieth of the
    paper's LeNet's, and a ninth of its weights. An estimate's error goes with the number of
    weights, and a run's time with the multiply-adds. Strides instead of pooling make few products;
    the average before the linear layer makes few weights. Neither norm nor activation has any.

    Args:
        in_shape: (channels, height, width), 8 pixels a side or more.
        classes: number of outputs.
        widths: channels of the two convolutions.
        norm: "group" (without weights), or "none".
        activation: "hardswish", "relu" or "selu".

    Returns:
        The model, with weights that `build` replaces.

    Raises:
        ModelError: rows that are not images, or an unknown norm or activation.

    Example:
        >>> sum(p.numel() for p in convnet((1, 28, 28), 10).parameters())
        2826
    """
    channels, height, width = image_shape("convnet", in_shape, least=8)
    first, second = widths
    left = [-(-side // 4) // 2 for side in (height, width)]
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, first, 5, stride=2, padding=2),
            norm1=norm_layer(norm, first),
            act1=activation_layer(activation),
            conv2=nn.Conv2d(first, second, 3, stride=2, padding=1),
            norm2=norm_layer(norm, second),
            act2=activation_layer(activation),
            pool=nn.AvgPool2d(2),
            flatten=nn.Flatten(),
            head=nn.Linear(second * left[0] * left[1], classes),
        )
    )
