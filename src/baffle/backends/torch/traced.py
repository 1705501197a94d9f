"""A module's passes as straight lines of operations, which an exported graph is made of.

The batched pass runs once, and every operation below its rules is written down with the shapes it
had. So a graph has the rules' arithmetic, whatever module they were applied to; and it is right for
these numbers of points and examples alone.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, functionalize
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional
from torch.utils import _pytree as pytree

from baffle.backends.torch.adapter import trained_parameters
from baffle.backends.torch.evaluate import hits
from baffle.backends.torch.examples import arguments, cloned
from baffle.backends.torch.losses import (
    Loss,
    classes,
    one_loss,
    rows_of_cross_entropy,
    widened,
)
from baffle.backends.torch.modes import evaluating
from baffle.backends.torch.moved import Delta, Low, Moved
from baffle.backends.torch.rank_one import outputs_at
from baffle.directions.columns import Columns, TensorColumns

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Traced:
    """A straight line of operations.

    Args:
        graph: takes what `example` holds, in this order: inputs, targets, then (of a pass) factors
            [P, F], then the trained tensors in canonical order.
        example: tensors that it was written down with.
        slow: names of operations that had no rule and go point after point.
    """

    graph: GraphModule
    example: tuple[Tensor, ...]
    slow: frozenset[str] = frozenset()


def traced_pass(
    module: nn.Module, loss: Loss, batch: tuple[Any, Any], columns: Columns, points: int
) -> Traced:
    """Return the loss of each of B examples at each of P points, [P, B].

    Args:
        module: its parameters hold some weights; they come back as they were.
        loss: (output, target) to the scalar mean over a batch.
        batch: (inputs, targets) of B examples.
        columns: where a direction's factors stand.
        points: P, two or more.

    Raises:
        Unsupported: an operation that no rule and no turn can take. Other errors come from the
            module, or from what writes operations down.
    """
    try:
        return _pass(module, loss, batch, columns, points, share=True)
    except Exception as problem:  # as in a probe: whatever sharing cannot do, all rows can
        logger.info("work before the first trained layer is not shared: %s", problem)
        return _pass(module, loss, batch, columns, points, share=False)


def _pass(
    module: nn.Module,
    loss: Loss,
    batch: tuple[Any, Any],
    columns: Columns,
    points: int,
    share: bool,
) -> Traced:
    parameters = trained_parameters(module)
    flat, spec = pytree.tree_flatten(batch)
    count, slow = len(flat), set()

    def losses(*given: Tensor) -> Tensor:
        inputs, targets = pytree.tree_unflatten(given[:count], spec)
        factors, weights = given[count], given[count + 1 :]
        tracked = {
            id(parameters[place.tensor.name]): Moved(base, _delta(factors, place))
            for place, base in zip(columns.places, weights, strict=True)
        }
        outputs, names = outputs_at(module, inputs, points, tracked, share, plain=True)
        slow.update(names)
        return _each(loss, outputs, targets)

    weights = [parameters[place.tensor.name].detach() for place in columns.places]
    factors = torch.zeros(points, columns.width)
    example = (*flat, factors, *weights)
    return Traced(_written_down(module, losses, example), example, frozenset(slow))


def traced_plain(module: nn.Module, loss: Loss, batch: tuple[Any, Any], columns: Columns) -> Traced:
    """Return each example's loss [B], and where targets are classes whether it is right, [B].

    Args:
        module, loss, batch, columns: as for `traced_pass`.
    """
    parameters = trained_parameters(module)
    flat, spec = pytree.tree_flatten(batch)
    names = [place.tensor.name for place in columns.places]

    def losses(*given: Tensor) -> tuple[Tensor, ...]:
        inputs, targets = pytree.tree_unflatten(given[: len(flat)], spec)
        own = dict(zip(names, given[len(flat) :], strict=True))
        args, kwargs = arguments(inputs)
        output = functional_call(module, own, args, kwargs)
        at_one = pytree.tree_map_only(Tensor, lambda x: x.unsqueeze(0), output)
        found = _each(loss, at_one, targets)[0]
        right = hits(output, targets)
        return (found,) if right is None else (found, right)

    example = (*flat, *(parameters[name].detach() for name in names))
    return Traced(_written_down(module, losses, example), example)


def _each(loss: Loss, outputs: Any, targets: Any) -> Tensor:
    """Return each example's loss at each point, [P, B], of outputs [P, B, ...]."""
    outputs = widened(outputs)
    if loss is functional.cross_entropy and classes(outputs, targets):
        return rows_of_cross_entropy(outputs, targets)

    def alone(output: Any, target: Any) -> Tensor:
        one = pytree.tree_map_only(Tensor, lambda x: x.unsqueeze(0), (output, target))
        return one_loss(loss, *one)

    return torch.vmap(torch.vmap(alone), in_dims=(0, None))(outputs, targets)


def _delta(factors: Tensor, place: TensorColumns) -> Delta:
    """Return what is added to a tensor at the points, from its columns."""
    own = factors[:, place.start : place.stop]
    if len(place.lengths) == 1:
        return own.reshape(-1, *place.tensor.shape)
    out, inner, kernel = own.split(place.lengths, dim=1)
    return Low(out, inner, kernel if place.lengths[2] else out.new_ones(len(out), 1))


def _written_down(
    module: nn.Module, run: Callable[..., Any], example: Sequence[Tensor]
) -> GraphModule:
    # Without oneDNN a recurrent layer is written down as products and sums.
    with evaluating(module), torch.no_grad(), _without_onednn():
        found = make_fx(functionalize(run, remove="mutations"))(*cloned(example))
    _read_given(found, trained_parameters(module))
    found.graph.eliminate_dead_code()
    found.recompile()
    return found


@contextmanager
def _without_onednn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of how it sets its flags
        with torch.backends.mkldnn.flags(enabled=False):
            yield


def _read_given(graph: GraphModule, parameters: Mapping[str, Tensor]) -> None:
    """Let a rule that used the module's own parameter, which has the same values, use the given."""
    nodes = graph.graph.nodes
    places = [node for node in nodes if node.op == "placeholder"][-len(parameters) :]
    names = sorted(parameters, key=str.encode)
    given = {parameters[name].data_ptr(): node for name, node in zip(names, places, strict=True)}
    for node in [n for n in nodes if n.op == "get_attr"]:
        place = given.get(getattr(graph, str(node.target)).data_ptr())
        if place is not None:
            node.replace_all_uses_with(place)
