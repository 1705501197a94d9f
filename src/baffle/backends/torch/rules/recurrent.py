"""LSTM, GRU and plain recurrent layers whose weights differ by point.

The inputs of all time steps go through one product, which serves all points; then it is one step
after another, each with one product for all points. Products go through the pass again, so that
any form of weight is served.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.folding import mark
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass

State = tuple[Tensor, ...]  # (h,), or (h, c) of an LSTM
Step = Callable[[Tensor, Tensor, State], State]  # (input's part, state's part, state) -> state


def _lstm(x: Tensor, h: Tensor, state: State) -> State:
    entering, kept, new, shown = (x + h).chunk(4, dim=1)
    c = kept.sigmoid() * state[1] + entering.sigmoid() * new.tanh()
    return shown.sigmoid() * c.tanh(), c


def _gru(x: Tensor, h: Tensor, state: State) -> State:
    (xr, xz, xn), (hr, hz, hn) = x.chunk(3, dim=1), h.chunk(3, dim=1)
    new = torch.tanh(xn + (xr + hr).sigmoid() * hn)
    return (torch.lerp(new, state[0], (xz + hz).sigmoid()),)


def _tanh(x: Tensor, h: Tensor, _: State) -> State:
    return (torch.tanh(x + h),)


def _relu(x: Tensor, h: Tensor, _: State) -> State:
    return (torch.relu(x + h),)


@dataclass(frozen=True)
class Direction:
    """One layer's weights in one direction of time, parameters or constants."""

    run: Pass
    step: Step
    inputs: Tensor
    hidden: Tensor
    biases: tuple[Tensor | None, Tensor | None]
    projection: Tensor | None = None

    def __call__(self, x: Tensor, state: State, reverse: bool = False) -> tuple[Tensor, State]:
        """Return (outputs [P·B, T, H], last state) of inputs [P·B, T, I]."""
        parts = self.product(x, self.inputs, self.biases[0]).unbind(1)
        outputs = []
        for part in reversed(parts) if reverse else parts:
            state = self.once(part, state)
            outputs.append(state[0])
        return torch.stack(outputs[::-1] if reverse else outputs, dim=1), state

    def once(self, part: Tensor, state: State) -> State:
        """Return the state after one step, given the input's part of it."""
        h, *cell = self.step(part, self.product(state[0], self.hidden, self.biases[1]), state)
        if self.projection is not None:
            h = self.product(h, self.projection, None)
        return (h, *cell)

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return x Wᵀ + bias at every point."""
        with self.run:
            return functional.linear(mark(x, self.run), weight, bias)


def layers(
    name: str,
    step: Step,
    run: Pass,
    input: Tensor,  # noqa: A002
    hidden: Any,
    params: Any,
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
) -> tuple[Tensor, ...]:
    """Return (outputs, last h of every layer and direction, and last c of an LSTM)."""
    if not isinstance(params, (list, tuple)) or not isinstance(has_biases, bool):
        raise Unsupported(name, "a packed sequence")
    if train and dropout:
        raise Unsupported(name, "dropout in training mode")
    x = _batch_first(run, name, input, batch_first)
    given = hidden if isinstance(hidden, (list, tuple)) else (hidden,)
    states = list(zip(*(_initial(run, name, h) for h in given), strict=True))
    size = len(params) // len(states)
    ways = [
        _direction(run, step, params[n * size : (n + 1) * size], has_biases)
        for n in range(len(states))
    ]
    x, last = _stacked(x, ways, states, 2 if bidirectional else 1)
    final = (torch.stack(parts) for parts in zip(*last, strict=True))
    return (x if batch_first else x.transpose(0, 1), *final)


def _stacked(
    x: Tensor, ways: Sequence[Direction], states: Sequence[State], count: int
) -> tuple[Tensor, list[State]]:
    """Run layers of `count` directions each; return outputs [P·B, T, H] and all last states."""
    last: list[State] = []
    for first in range(0, len(ways), count):
        found = [ways[n](x, states[n], reverse=n > first) for n in range(first, first + count)]
        x = torch.cat([outputs for outputs, _ in found], dim=2)
        last += [state for _, state in found]
    return x, last


def _direction(run: Pass, step: Step, params: Sequence[Tensor], has_biases: bool) -> Direction:
    biases = (params[2], params[3]) if has_biases else (None, None)
    more = params[4 if has_biases else 2 :]
    return Direction(run, step, params[0], params[1], biases, more[0] if more else None)


def _batch_first(run: Pass, name: str, x: Tensor, batch_first: bool) -> Tensor:
    axis = 0 if batch_first else 1
    if not run.folded(x) or x.dim() != 3 or x.shape[axis] != run.rows:
        raise Unsupported(name, f"an input that does not carry the examples on axis {axis}")
    return run.real(x) if batch_first else run.real(x).transpose(0, 1).contiguous()


def _initial(run: Pass, name: str, state: Tensor) -> Sequence[Tensor]:
    """Return the initial states [P·B, H] of each layer and direction, given as [layers, P·B, H]."""
    if run.moved(state) or state.dim() != 3 or state.shape[1] != run.rows:
        raise Unsupported(name, "a state that does not carry the examples on axis 1")
    return run.real(state).contiguous().unbind(0)


def cell(
    name: str,
    step: Step,
    run: Pass,
    input: Tensor,  # noqa: A002
    hx: Any,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Any:
    """Return the state [P·B, H] after one step, (h, c) of an LSTM."""
    run.require_folded(name, input)
    given = hx if isinstance(hx, (list, tuple)) else (hx,)
    if input.dim() != 2 or any(run.moved(h) or h.shape[0] != run.rows for h in given):
        raise Unsupported(name, "a state that does not carry the examples on axis 0")
    one = Direction(run, step, w_ih, w_hh, (b_ih, b_hh))
    part = one.product(run.real(input), w_ih, b_ih)
    state = one.once(part, tuple(run.real(h) for h in given))
    return state if isinstance(hx, (list, tuple)) else state[0]


_STEPS = {"lstm": _lstm, "gru": _gru, "rnn_tanh": _tanh, "rnn_relu": _relu}
RULES: dict[Callable, Callable] = {}
for _name, _step in _STEPS.items():
    RULES[getattr(torch, _name)] = partial(layers, _name, _step)
    RULES[getattr(torch, _name + "_cell")] = partial(cell, _name + "_cell", _step)
