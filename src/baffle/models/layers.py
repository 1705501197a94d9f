"""The choices that models share: activation and normalisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from baffle.errors import ModelError

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "hardswish": nn.Hardswish,
    "relu": nn.ReLU,
    "selu": nn.SELU,
}

NORMS = ("none", "group")


def activation(name: str) -> nn.Module:
    """An activation by name.

    Args:
        name: one of ACTIVATIONS.

    Returns:
        A new module without weights.

    Raises:
        ModelError: unknown name.

    Example:
        >>> activation("relu")
        ReLU()
    """
    if name not in ACTIVATIONS:
        raise ModelError(
            f"expected an activation among {', '.join(sorted(ACTIVATIONS))}, got {name!r}."
        )
    return ACTIVATIONS[name]()


def norm(name: str, channels: int) -> nn.Module:
    """A normalisation by name.

    Args:
        name: "none", or "group": group norm without weights, in max(2, channels // 16) groups.
        channels: of the tensor that is normalised.

    Returns:
        A new module without weights.

    Raises:
        ModelError: unknown name, or channels that do not divide into the groups.

    Example:
        >>> norm("group", 64).num_groups
        4
    """
    if name not in NORMS:
        raise ModelError(f"expected a norm among {', '.join(NORMS)}, got {name!r}.")
    if name == "none":
        return nn.Identity()
    groups = max(2, channels // 16)
    if channels % groups:
        raise ModelError(
            f"expected channels that divide into {groups} groups, got {channels}; choose widths "
            "that are multiples of 16."
        )
    return nn.GroupNorm(groups, channels, affine=False)


def image_shape(model: str, in_shape: tuple[int, ...], least: int) -> tuple[int, int, int]:
    """The shape of an image, checked.

    Args:
        model: name for the message.
        in_shape: shape of one row of the data.
        least: pixels a side that the model needs.

    Returns:
        (channels, height, width).

    Raises:
        ModelError: not three axes, or too small.

    Example:
        >>> image_shape("lenet", (1, 28, 28), least=2)
        (1, 28, 28)
    """
    if len(in_shape) != 3 or min(in_shape[1:]) < least:
        raise ModelError(
            f"{model}: expected rows of shape (channels, height, width) with {least} pixels a side "
            f"or more, got {tuple(in_shape)}; load the data as images or choose mlp."
        )
    return in_shape[0], in_shape[1], in_shape[2]
