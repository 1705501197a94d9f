"""Randomness inside a forward pass: the same for every point, and again in a repeat.

Two points can be compared only if dropout masks and noise are the same at both. Random operations
in the batched pass draw for the rows of one point, in the order in which a pass of one point draws,
and give the draw to every point. Each pass begins from a seed that is a function of the directions'
place and the batch alone. torch's own generator serves: no two machines have to agree on a forward
pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.unsupported import Unsupported, operation_name
from baffle.directions import Place
from baffle.directions.coordinates import Purpose, Stream

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def seed_of(place: Place, examples: NDArray[np.int64]) -> int:
    """Return the seed of all forward passes of one batch in one local step of one round."""
    stream = Stream(place.key, Purpose.FORWARD, place.round, place.step)
    words = stream.words([int(examples[0]) % 2**32], 2)[0]
    return int(words[0]) << 32 | int(words[1])


@contextmanager
def repeatable(seed: int | None) -> Iterator[None]:
    """Draw from this seed inside the block and put torch's generators back after; None: as is."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(seed % 2**63)
        yield


def generator_states() -> list[Tensor]:
    """Return where torch's generators stand; equal before and after what draws nothing."""
    found = [torch.get_rng_state()]
    return found + torch.cuda.get_rng_state_all() if torch.cuda.is_available() else found


def like(func: Callable, run: Pass, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Draw in the shape of an activation: for one point, given to all."""
    return _at_all(run, func, x, func(_one_point(run, func, x), *args, **kwargs))


def dropout(
    func: Callable, run: Pass, input: Tensor, p: float = 0.5, *args: Any, **kwargs: Any  # noqa: A002
) -> Tensor:  # fmt: skip
    """Drop the same entries of an activation at every point."""
    in_place = kwargs.pop("inplace", False)
    ones = torch.ones_like(_one_point(run, func, input))
    kept = _at_all(run, func, input, func(ones, p, *args, **kwargs))
    if not in_place:
        return run.carrying(run.real(input) * run.real(kept))
    if run.shared(input) is not None:
        raise Unsupported(operation_name(func), "it writes into an input")
    return input.mul_(run.real(kept))


def random_rule(func: Callable, args: tuple, kwargs: dict[str, Any]) -> Callable | None:
    """Return the rule of an operation that draws; None also for dropout that is switched off."""
    rule = _RULES.get(func)
    if rule is not dropout:
        return rule
    given = args[2:3] or [kwargs.get("training", kwargs.get("train", True))]
    return rule if given[0] else None


def fill(func: Callable, run: Pass, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Fill an activation with one point's draw at every point."""
    if run.shared(x) is not None:
        raise Unsupported(operation_name(func), "it writes into an input")
    one = func(torch.empty_like(_one_point(run, func, x)), *args, **kwargs)
    return x.copy_(run.real(_at_all(run, func, x, one)))


def factory(func: Callable, run: Pass, args: tuple, kwargs: dict[str, Any]) -> Tensor | None:
    """Draw for one point where as many rows are asked for as all points have; None if not."""
    sizes = kwargs.get("size", args)
    sizes = sizes[-1] if sizes and isinstance(sizes[-1], (tuple, list)) else sizes
    if not sizes or sizes[0] != run.rows or not all(isinstance(n, int) for n in sizes):
        return None
    one = (run.rows // run.points, *sizes[1:])
    leading = [a for a in args if func is torch.randint and isinstance(a, int)]
    kwargs = {name: value for name, value in kwargs.items() if name != "size"}
    return run.same_at_all(func(*leading, one, **kwargs))


def _one_point(run: Pass, func: Callable, x: Tensor) -> Tensor:
    axis = run.axis(operation_name(func), x)
    return x.narrow(axis, 0, x.shape[axis] // run.points)


def _at_all(run: Pass, func: Callable, x: Tensor, one: Tensor) -> Tensor:
    """Return one point's draw as that of every point, in the shape of x."""
    axis = run.axis(operation_name(func), x)
    if axis == 0:
        return run.same_at_all(one)
    return run.carrying(torch.cat([one] * run.points, axis))


def _rows(names: tuple[str, ...], owner: Any, rule: Callable) -> dict[Callable, Callable]:
    return {getattr(owner, name): rule for name in names}


_RULES: dict[Callable, Callable] = {
    **_rows(("dropout", "dropout1d", "dropout2d", "dropout3d"), functional, dropout),
    **_rows(("dropout",), torch, dropout),
    **_rows(("rand_like", "randn_like", "randint_like"), torch, like),
    **_rows(("normal_", "uniform_", "bernoulli_", "exponential_"), torch.Tensor, fill),
}
FACTORIES: frozenset[Callable] = frozenset((torch.rand, torch.randn, torch.randint))
