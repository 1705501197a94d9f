"""LeNet-5 in its usual present-day form."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from baffle.errors import ModelError
from baffle.models.layers import activation as activation_layer
from baffle.models.layers import image_shape

_PADDING = {28: 2, 32: 0}  # both leave 28×28 after the first convolution


def lenet5(
    in_shape: tuple[int, ...], classes: int, *, activation: str = "hardswish"
) -> nn.Sequential:
    """Two 5×5 convolutions (6, 16) with max pooling, then linear layers 120, 84, classes.

    61,706 parameters for one channel and 10 classes, and a sixteenth of the paper's LeNet's
    multiply-adds: 0.42 M an image.

    Args:
        in_shape: (channels, 28, 28), padded by 2, or (channels, 32, 32).
        classes: number of outputs.
        activation: "hardswish", "relu" or "selu".

    Returns:
        The model, with weights that `build` replaces.

    Raises:
        ModelError: rows of another size, or an unknown activation.

    Example:
        >>> sum(p.numel() for p in lenet5((1, 28, 28), 10).parameters())
        61706
    """
    channels, height, width = image_shape("lenet5", in_shape, least=2)
    if height != width or height not in _PADDING:
        raise ModelError(
            f"lenet5: expected images of 28×28 or 32×32 pixels, got {height}×{width}; resize them "
            "or choose lenet, which takes any size."
        )
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, 6, 5, padding=_PADDING[height]),
            act1=activation_layer(activation),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            act2=activation_layer(activation),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            linear1=nn.Linear(400, 120),
            act3=activation_layer(activation),
            linear2=nn.Linear(120, 84),
            act4=activation_layer(activation),
            head=nn.Linear(84, classes),
        )
    )
