"""The functions that a module calls, such as F.relu: what no list of its layers shows.

With an example they are seen in a run, by a function mode: right, for the path that was taken.
Without one they are read off a symbolic trace (torch.fx), which does not follow decisions that
depend on data; a forward that cannot be read is named, and its parts are read on their own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from baffle.models.checks.shelter import arguments, is_scripted, sheltered

FUNCTIONS: Mapping[Callable[..., Any], str] = {
    functional.relu: "relu",
    torch.relu: "relu",
    torch.relu_: "relu",
    torch.Tensor.relu: "relu",
    torch.Tensor.relu_: "relu",
    functional.relu6: "relu6",
    functional.leaky_relu: "leaky_relu",
    functional.leaky_relu_: "leaky_relu",
    functional.dropout: "dropout",
    functional.dropout1d: "dropout",
    functional.dropout2d: "dropout",
    functional.dropout3d: "dropout",
    functional.alpha_dropout: "dropout",
    functional.feature_alpha_dropout: "dropout",
    functional.batch_norm: "batch_norm",
}
"""What is looked for, and one name for its forms."""

LAYERS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, _DropoutNd, _BatchNorm)
"""Layers that are these functions: what they call is no news."""

_METHODS = {"relu": "relu", "relu_": "relu"}


@dataclass(frozen=True)
class Call:
    """A function that a module's own forward calls.

    Args:
        where: dotted name of the module whose forward makes the call; "" for the model itself.
        function: its name in FUNCTIONS.
        training: whether it is called in its training form, although the module is in eval mode.
    """

    where: str
    function: str
    training: bool = False


@dataclass(frozen=True)
class Calls:
    """What was seen, and (name of a module, reason) for each forward that could not be read."""

    seen: tuple[Call, ...]
    unread: tuple[tuple[str, str], ...] = ()


def calls_in_run(module: nn.Module, example: Any) -> Calls | None:
    """The calls that one evaluation makes.

    Args:
        module: left as it was.
        example: inputs, as in `Subject`.

    Returns:
        The calls, each once; None if the module fails.

    Example:
        >>> class Net(nn.Module):
        ...     def forward(self, x):
        ...         return functional.relu(x)
        >>> calls_in_run(Net(), torch.zeros(2))
        Calls(seen=(Call(where='', function='relu', training=False),), unread=())
    """
    args, kwargs = arguments(example)
    watch = _Watch(module)
    try:
        with sheltered(module), watch.following(), torch.inference_mode(), watch:
            module(*args, **kwargs)
    except Exception:  # the user's code may raise anything; `try_out` says what
        return None
    return Calls(tuple(dict.fromkeys(watch.calls)))


class _Watch(TorchFunctionMode):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.inside: list[tuple[str, nn.Module]] = []
        self.calls: list[Call] = []

    @contextmanager
    def following(self) -> Iterator[None]:
        """Know, inside the block, whose forward is running."""
        with ExitStack() as stack:
            for name, part in self.module.named_modules():
                enter, leave = self._hooks(name)
                stack.callback(part.register_forward_pre_hook(enter).remove)
                stack.callback(part.register_forward_hook(leave, always_call=True).remove)
            yield

    def _hooks(self, name: str) -> tuple[Callable[..., None], Callable[..., None]]:
        def enter(part: nn.Module, _: Any) -> None:
            self.inside.append((name, part))

        def leave(*_: Any) -> None:
            self.inside.pop()

        return enter, leave

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in FUNCTIONS and self.inside and not isinstance(self.inside[-1][1], LAYERS):
            training = in_training_form(func, args, kwargs)
            self.calls.append(Call(self.inside[-1][0], FUNCTIONS[func], training))
        return func(*args, **kwargs)


def in_training_form(func: Callable[..., Any], args: Any, kwargs: Any) -> bool:
    """Whether a call has a `training` argument that is true, given or by default, and an effect.

    Example:
        >>> in_training_form(functional.dropout, (torch.zeros(2), 0.5), {})
        True
    """
    try:
        bound = inspect.signature(func).bind(*args, **kwargs)
    except (TypeError, ValueError):  # a built-in function, which has no such argument
        return False
    bound.apply_defaults()
    return bound.arguments.get("training") is True and bound.arguments.get("p") != 0


def kept_functions(
    module: nn.Module, wanted: Mapping[Callable[..., Any], str]
) -> list[tuple[str, str]]:
    """Functions that a module keeps as attributes, as torch's transformer layers keep F.relu.

    Args:
        module: looked at without its parts.
        wanted: functions and their names.

    Returns:
        (attribute, name of the function).

    Example:
        >>> layer = nn.TransformerEncoderLayer(2, 1)
        >>> kept_functions(layer, FUNCTIONS)
        [('activation', 'relu')]
    """
    return [
        (attribute, name)
        for attribute, value in vars(module).items()
        for function, name in wanted.items()
        if value is function
    ]


def calls_in_trace(module: nn.Module) -> Calls:
    """The calls that can be read without running the module on data.

    Args:
        module: left as it was.

    Returns:
        The calls, each once, and the forwards that could not be read.

    Example:
        >>> class Net(nn.Module):
        ...     def forward(self, x):
        ...         return x.relu() if x.sum() > 0 else x
        >>> [name for name, _ in calls_in_trace(nn.Sequential(Net())).unread]
        ['0']
    """
    with sheltered(module):
        found = _read(module, "")
    return Calls(tuple(dict.fromkeys(found.seen)), found.unread)


class _Tracer(fx.Tracer):
    """Goes into every forward that is not torch's own, and into Sequential."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return _is_torchs(m) and not isinstance(m, nn.Sequential)


def _is_torchs(module: nn.Module) -> bool:
    return str(getattr(type(module).forward, "__module__", "")).startswith("torch.")


def _read(module: nn.Module, name: str) -> Calls:
    if is_scripted(module) or _is_torchs(module):
        return _joined(_parts(module, name))
    try:
        graph = _Tracer().trace(module)
    except Exception as error:  # the user's code may raise anything at all on a proxy
        return _joined((Calls((), ((name, one_line(error)),)), *_parts(module, name)))
    inner = [
        part
        for node in graph.nodes
        if node.op == "call_module"  # not traced into, though it may hold modules of the user's
        for part in _parts(module.get_submodule(node.target), _dotted(name, node.target))
    ]
    return _joined((Calls(tuple(_calls_of(graph, name))), *inner))


def _parts(module: nn.Module, name: str) -> list[Calls]:
    if is_scripted(module):
        return []
    return [_read(part, _dotted(name, child)) for child, part in module.named_children()]


def _joined(found: Iterable[Calls]) -> Calls:
    listed = list(found)
    seen = tuple(call for calls in listed for call in calls.seen)
    return Calls(seen, tuple(failure for calls in listed for failure in calls.unread))


def _dotted(*names: str) -> str:
    return ".".join(filter(None, names))


def _calls_of(graph: fx.Graph, root: str) -> Iterator[Call]:
    for node in graph.nodes:
        function = {
            "call_function": FUNCTIONS.get(node.target),
            "call_method": _METHODS.get(node.target) if isinstance(node.target, str) else None,
        }.get(node.op)
        if function is None:
            continue
        stack = node.meta.get("nn_module_stack") or {"": ("", None)}
        inner, kind = list(stack.values())[-1]
        if not (isinstance(kind, type) and issubclass(kind, LAYERS)):
            training = node.op == "call_function" and in_training_form(
                node.target, node.args, node.kwargs
            )
            yield Call(_dotted(root, inner), function, training)


def one_line(error: Exception) -> str:
    """An error as one line.

    Example:
        >>> one_line(ValueError("no\\nway"))
        'ValueError: no'
    """
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}".rstrip(": ")
