"""Smaller models before training: zeros by magnitude, n of m, or whole outputs taken away.

    by_magnitude(module, share)   zeros in each tensor's smallest entries
    n_of_m(module, n, m)          n of m neighbours along the input axis stay, as in 2:4
    structured(model, share)      a really smaller chain; see `baffle.models.narrow`

The first two leave zeros among the weights. Train such a model with `probe.directions = "masked"`,
which moves no zero of a pruned tensor; directions of any other kind fill the zeros in the first
round. What is pruned are parameters of two axes or more: matrices, kernels, embeddings.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from baffle.errors import ModelError
from baffle.models.narrow import structured

__all__ = ["by_magnitude", "n_of_m", "structured"]


def by_magnitude(module: nn.Module, share: float, patterns: Sequence[str] = ("*",)) -> nn.Module:
    """A copy with the smallest entries of each tensor at zero.

    The share is of each tensor, not of the model: one threshold for all could empty a tensor, and
    one of zeros throughout counts as not pruned. Of equal magnitudes the first ones go.

    Args:
        module: any module; it is left as it was.
        share: of each tensor's entries that become zero, in (0, 1), rounded down.
        patterns: shell patterns of the names of what is pruned, for example ("*.weight",).

    Returns:
        The copy.

    Raises:
        ModelError: the share is out of range, or nothing fits the patterns.

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks",
    NeurIPS 2015.

    Example:
        >>> pruned = by_magnitude(nn.Linear(4, 3), 0.5)
        >>> int((pruned.weight == 0).sum()), int((pruned.bias == 0).sum())
        (6, 0)
    """
    if not 0 < share < 1:
        raise ModelError(f"expected a share of zeros between 0 and 1, got {share}")
    found = copy.deepcopy(module)
    for parameter in _pruned(found, patterns):
        values = _numpy(parameter)
        size = np.abs(values).reshape(-1)
        gone = np.argsort(size, kind="stable")[: int(share * size.size)]
        _zero(parameter, np.isin(np.arange(size.size), gone).reshape(values.shape))
    return found


def n_of_m(
    module: nn.Module, n: int = 2, m: int = 4, patterns: Sequence[str] = ("*",)
) -> nn.Module:
    """A copy in which n of m neighbouring weights are kept, the largest.

    Neighbours stand along the input axis, axis 1: inputs of one unit, or channels of one kernel
    position. Of the last group, which may be shorter, n are kept as well: three or one input
    channels lose one or none.

    Args:
        module: any module; it is left as it was.
        n, m: 0 < n < m. Of equal magnitudes the last ones stay.
        patterns: as for `by_magnitude`.

    Returns:
        The copy.

    Raises:
        ModelError: n and m are out of range, or nothing fits the patterns.

    Source: Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021.

    Example:
        >>> kept = n_of_m(nn.Linear(8, 3)).weight != 0
        >>> kept.view(3, 2, 4).sum(2).tolist()
        [[2, 2], [2, 2], [2, 2]]
    """
    if not 0 < n < m:
        raise ModelError(f"expected n of m with 0 < n < m, got {n} of {m}")
    found = copy.deepcopy(module)
    for parameter in _pruned(found, patterns):
        values = np.moveaxis(np.abs(_numpy(parameter)), 1, -1)
        gone = np.zeros(values.shape, bool)
        for start in range(0, values.shape[-1], m):
            group = values[..., start : start + m]
            order = np.argsort(group, axis=-1, kind="stable")[..., : max(0, group.shape[-1] - n)]
            np.put_along_axis(gone[..., start : start + m], order, True, axis=-1)
        _zero(parameter, np.moveaxis(gone, -1, 1))
    return found


def _pruned(module: nn.Module, patterns: Sequence[str]) -> Iterator[nn.Parameter]:
    named = {name: p for name, p in module.named_parameters() if p.dim() >= 2}
    chosen = [p for name, p in named.items() if any(fnmatchcase(name, x) for x in patterns)]
    if not chosen:
        raise ModelError(
            f"expected patterns of parameters with two axes or more, {', '.join(patterns)} fit "
            f"none; the model's begin with {', '.join(list(named)[:8]) or 'no such parameter'}"
        )
    return iter(chosen)


def _numpy(parameter: nn.Parameter) -> NDArray[np.float64]:
    found: NDArray[np.float64] = parameter.detach().to("cpu", torch.float64).numpy()
    return found


def _zero(parameter: nn.Parameter, gone: NDArray[np.bool_]) -> None:
    where = torch.from_numpy(np.ascontiguousarray(gone)).to(parameter.device)
    with torch.no_grad():
        parameter.masked_fill_(where, 0.0)
