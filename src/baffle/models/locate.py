"""From what a user types to a module: a model's name, or where in their own code it is made.

    lenet                      a row of MODELS
    package.module:attribute   a module, or a function or class without arguments that makes one
    path/to/file.py:attribute  the same, in a file

Code of the user's runs only for the last two, which name it. Files of weights are never opened:
unpickling one runs whatever its author wrote into it.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from torch import nn

from baffle.errors import ModelError
from baffle.models import MODELS, build

SHAPES: Mapping[str, tuple[int, ...]] = {
    "lenet": (1, 32, 32),
    "convnet": (1, 28, 28),
    "lenet5": (1, 28, 28),
    "linear": (64,),
    "mlp": (64,),
    "signal": (6, 128),
    "wrn": (1, 32, 32),
}
"""Shape of one row by model, where the user says none."""

CLASSES = 10

_PICKLES = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
_FORMS = "package.module:attribute or path/to/file.py:attribute"


def find_model(
    text: str, in_shape: tuple[int, ...] | None = None, classes: int | None = None
) -> nn.Module:
    """The module that a user means.

    Args:
        text: a name in MODELS; or `package.module:attribute` or `path/to/file.py:attribute`, which
            imports that code. The attribute may be dotted. It is a torch module, or something to
            call without arguments that returns one.
        in_shape: shape of one row of the data, for a name in MODELS; None for the one in SHAPES.
        classes: number of outputs, for a name in MODELS; None for 10.

    Returns:
        The module. One by name has the weights of seed 0.

    Raises:
        ModelError: there is no such name, file or attribute, the user's code fails, or what it
            gives is not a module.

    Example:
        >>> find_model("linear", in_shape=(4,), classes=3).head
        Linear(in_features=4, out_features=3, bias=True)
        >>> find_model("torch.nn:Hardswish")
        Hardswish()
    """
    if text in MODELS:
        return build(text, in_shape or SHAPES[text], CLASSES if classes is None else classes, 0)
    with _code_at(text) as found:
        return _module_of(found, text)


def find_attribute(text: str) -> Any:
    """What stands at a place in a user's code, whatever it is.

    Args:
        text: `package.module:attribute` or `path/to/file.py:attribute`, which imports that code.

    Raises:
        ModelError: there is no such file or attribute, or the user's code fails.

    Example:
        >>> find_attribute("math:pi")
        3.141592653589793
    """
    with _code_at(text) as found:
        return found


@contextmanager
def _code_at(text: str) -> Iterator[Any]:
    """Import what a text names, with what lies beside it within reach."""
    source, colon, attribute = text.rpartition(":")
    if not colon:
        raise ModelError(_not_a_place(text))
    if not source or not attribute:
        raise ModelError(f"expected {_FORMS}, got {text!r} with nothing on one side of the colon.")
    in_file = source.endswith(".py") or "/" in source or "\\" in source
    folder = Path(source).resolve().parent if in_file else Path.cwd()
    with _first_on_path(folder):
        code = _run_file(Path(source)) if in_file else _import(source)
        yield _attribute(code, source, attribute)


def _not_a_place(text: str) -> str:
    """Say why a text without a colon is no model."""
    suffix = Path(text).suffix.lower()
    if suffix in _PICKLES:
        return (
            f"expected the code that makes the model, got the file {text!r}: pickles are never "
            f"loaded, since loading one can run any code; give {_FORMS}."
        )
    if suffix == ".safetensors":
        return f"expected the code that makes the model, got weights in {text!r}; give {_FORMS}."
    if suffix == ".py":
        return f"expected which model of {text!r} is meant; write {text}:attribute."
    close = difflib.get_close_matches(text, MODELS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"expected a model among {', '.join(sorted(MODELS))}, or {_FORMS}, got {text!r}.{hint}"


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    """Let code import what lies beside it, as `python file.py` and `python -m` do."""
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ModelError(
                f"expected a Python module named {name!r}, found no {error.name!r}; install it, or "
                "run in the folder that holds it."
            ) from error
        raise ModelError(_failure(f"{name} could not be loaded", error)) from error
    except (Exception, SystemExit) as error:
        raise ModelError(_failure(f"{name} could not be loaded", error)) from error


def _run_file(path: Path) -> ModuleType:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise ModelError(f"expected a Python file at {str(path)!r}, found {found}.")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    name = f"_baffle_user_{path.stem}_{digest[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"expected a Python file, whose name ends in .py, got {str(path)!r}.")
    code = importlib.util.module_from_spec(spec)
    sys.modules[name] = code  # dataclasses and torch.fx look a class's module up there
    try:
        spec.loader.exec_module(code)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, (Exception, SystemExit)):
            raise
        raise ModelError(_failure(f"{path} could not be loaded", error)) from error
    return code


def _attribute(code: ModuleType, source: str, dotted: str) -> Any:
    found: Any = code
    for name in dotted.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            offered = _offered(found, name)
            hint = f"; there is {', '.join(offered)}" if offered else ""
            raise ModelError(f"{source} has no {name!r}{hint}.") from error
    return found


def _offered(holder: Any, name: str) -> list[str]:
    """Return up to five names that may have been meant, the nearest first."""
    models = [
        key
        for key, value in getattr(holder, "__dict__", {}).items()
        if isinstance(value, nn.Module)
        or (inspect.isclass(value) and issubclass(value, nn.Module))
        or (inspect.isfunction(value) and value.__module__ == getattr(holder, "__name__", ""))
    ]
    public = [key for key in models if not key.startswith("_")]
    close = difflib.get_close_matches(name, public, n=5)
    return (close + sorted(set(public) - set(close)))[:5]


def _module_of(found: Any, text: str) -> nn.Module:
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        weights = "; weights alone do not say how to compute" if isinstance(found, Mapping) else ""
        raise ModelError(
            f"{text}: expected a torch.nn.Module, got {type(found).__name__}{weights}."
        )
    _require_no_arguments(found, text)
    made = _called(found, text)
    if not isinstance(made, nn.Module):
        raise ModelError(f"{text}(): expected a torch.nn.Module, got {type(made).__name__}.")
    return made


def _require_no_arguments(maker: Callable[..., Any], text: str) -> None:
    try:
        signature = inspect.signature(maker)
    except (TypeError, ValueError):  # some built-in callables have no signature; calling them tells
        return
    try:
        signature.bind()
    except TypeError as error:
        raise ModelError(
            f"{text} cannot be called without arguments: TypeError: {error}; write a function that "
            "calls it with them and name that one."
        ) from error


def _called(maker: Callable[..., Any], text: str) -> Any:
    try:
        return maker()
    except (Exception, SystemExit) as error:
        raise ModelError(_failure(f"{text} could not be called", error)) from error


def _failure(what: str, error: BaseException) -> str:
    """Say what the user's code raised, and in which line of it."""
    said = f"{type(error).__name__}: {error}".rstrip(": .")
    place = "" if isinstance(error, SyntaxError) else _last_place(error.__traceback__)
    return f"{what}: {said}{place}."


def _last_place(traceback: TracebackType | None) -> str:
    """Return where the innermost frame stood that is of the user's own code."""
    paths = sysconfig.get_paths()
    foreign = ("<frozen", __file__, paths["stdlib"], paths["purelib"], paths["platlib"])
    place = ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(foreign):
            place = f" ({Path(file).name}, line {traceback.tb_lineno})"
        traceback = traceback.tb_next
    return place
