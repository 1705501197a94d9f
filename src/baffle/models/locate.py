"""Find the model that a command line names: one of ours, or someone's own code."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from baffle.errors import BaffleError, ModelError
from baffle.models import build

DEFAULT_SHAPES: dict[str, tuple[int, ...]] = {
    "lenet": (1, 32, 32),
    "lenet5": (1, 28, 28),
    "wrn": (1, 32, 32),
    "mlp": (64,),
    "linear": (64,),
}


def find_model(text: str, in_shape: tuple[int, ...] = (), classes: int = 10) -> nn.Module:
    """Return the model that a text names.

    Args:
        text: a row of MODELS, `package.module:attribute` or `path/to/file.py:attribute`; the
            attribute is a module or a callable without arguments that returns one. Naming code
            runs it: nothing is unpickled, nothing else is evaluated.
        in_shape, classes: for a row of MODELS.

    Raises:
        ModelError: no such name, file or attribute, or it is not a module; says which.

    Example:
        >>> find_model("linear")
        Sequential(
          (flatten): Flatten(start_dim=1, end_dim=-1)
          (head): Linear(in_features=64, out_features=10, bias=True)
        )
    """
    if ":" not in text:
        shape = in_shape or DEFAULT_SHAPES.get(text, ())
        return build(text, shape, classes, seed=0)
    place, _, attribute = text.rpartition(":")
    found = _attribute(_load(place), place, attribute)
    return _as_module(found, text)


def _load(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(Path(place).stem, place)
        if spec is None or spec.loader is None or not Path(place).is_file():
            raise ModelError(f"expected a Python file at {place}, found none")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except BaffleError:
        raise
    except Exception as problem:
        raise ModelError(f"{place} could not be loaded: {_said(problem)}") from problem


def _attribute(module: ModuleType, place: str, name: str) -> Any:
    if not hasattr(module, name):
        raise ModelError(f"{place} has no {name!r}; expected a module or a function that makes one")
    return getattr(module, name)


def _as_module(found: Any, text: str) -> nn.Module:
    if not isinstance(found, nn.Module) and callable(found):
        try:
            found = found()
        except Exception as problem:
            raise ModelError(f"{text}, called without arguments: {_said(problem)}") from problem
    if not isinstance(found, nn.Module):
        raise ModelError(f"{text}: expected a torch.nn.Module, got {type(found).__name__}")
    return found


def _said(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"
