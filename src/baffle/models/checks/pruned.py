"""Check of a model that was pruned: which directions keep its zeros."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from baffle.directions.masked import share_of_zeros
from baffle.models.checks.finding import Finding, Subject

MANY = 0.1  # share of zeros from which a tensor counts as pruned on purpose


def pruned_tensors(weights: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of zeros of each tensor that looks pruned, by name.

    Args:
        weights: arrays by name.

    Example:
        >>> import numpy as np
        >>> pruned_tensors({"w": np.eye(4), "b": np.zeros(4), "v": np.ones((2, 2))})
        {'w': 0.75}
    """
    found = {name: share_of_zeros(values) for name, values in weights.items()}
    return {name: share for name, share in found.items() if share >= MANY}


def pruned(subject: Subject) -> Iterator[Finding]:
    """Trained tensors with many zeros, which most directions would fill.

    Example:
        >>> from torch import nn
        >>> layer = nn.Linear(4, 4)
        >>> _ = layer.weight.data.fill_diagonal_(0)
        >>> [(f.severity, f.where) for f in pruned(Subject(layer))]
        [('warning', 'weight')]
    """
    readable = {
        name: tensor.detach().cpu().double().numpy()
        for name, tensor in subject.trained.items()
        if tensor.dim() >= 2 and not tensor.is_meta and tensor.is_floating_point()
        and not tensor.is_sparse
    }  # fmt: skip
    for name, share in pruned_tensors(readable).items():
        yield Finding(
            "warning",
            name,
            f"{share:.0%} of its entries are zero, and directions other than masked ones fill them "
            "in the first round.",
            'Train it with probe.directions = "masked", which keeps its zeros; or nothing, if they '
            "need not stay.",
        )
