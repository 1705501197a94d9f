"""Why the batched pass cannot take a module."""

from __future__ import annotations

from collections.abc import Callable

from torch.overrides import resolve_name


class Unsupported(Exception):
    """An operation that the batched pass has no rule for; a slower route takes over."""

    def __init__(self, operation: str, why: str) -> None:
        super().__init__(f"{operation}: {why}")
        self.operation = operation


def operation_name(func: Callable) -> str:
    """Return what users know an operation by, such as torch.Tensor.add."""
    return resolve_name(func) or getattr(func, "__name__", repr(func))


def writes(func: Callable) -> bool:
    """Say whether an operation writes into its first argument, by torch's naming."""
    name = getattr(func, "__name__", "")
    return (name.endswith("_") and not name.endswith("__")) or name in _WRITING


_WRITING = {"__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__set__"}
