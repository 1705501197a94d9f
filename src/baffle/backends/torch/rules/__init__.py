"""Rules of the batched pass: what an operation does with a tensor that differs by point.

A rule is called with the pass and the operation's own arguments, and returns its result at every
point: a fresh activation [P·B, ...], or what `Pass.keep` returns for a result without examples.
"""

from __future__ import annotations

from collections.abc import Callable

from baffle.backends.torch.rules import (
    attention,
    computed,
    contraction,
    convolution,
    elementwise,
    embedding,
    int8,
    matrix,
    norm,
    recurrent,
    transposed,
    views,
)

RULES: dict[Callable, Callable] = {}
for _part in (
    *(matrix, contraction, convolution, transposed, embedding, norm),
    *(attention, recurrent, computed, elementwise, views, int8),
):  # a later part's rule for a function takes the place of an earlier one's
    RULES.update(_part.RULES)

__all__ = ["RULES"]
