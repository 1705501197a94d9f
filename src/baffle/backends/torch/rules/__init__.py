"""Rules of the batched pass: what each operation does with a tensor that differs by point."""

from __future__ import annotations

from collections.abc import Callable

from baffle.backends.torch.rules import convolution, elementwise, embedding, matrix, norm, views

Rule = Callable
RULES: dict[Callable, Rule] = {
    **matrix.RULES,
    **convolution.RULES,
    **embedding.RULES,
    **norm.RULES,
    **elementwise.RULES,
    **views.RULES,
}
__all__ = ["RULES", "Rule"]
