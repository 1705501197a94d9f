"""The server's side of every baseline: mean, step, average. Updates are `baffle`'s own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.updates import NUMPY, TrainState, UpdateSpec
from baffle.updates.average import Average
from baffle.updates.chain import Chain
from baffle.updates.state import EMA, WEIGHTS

Vectors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Server:
    """θ ← θ - α u(mean of estimates), or θ ← θ + mean of changes; then the average.

    Args:
        spec: optimiser, regularisation and average.
        adds: whether answers are changes of weights, already made with the step size.
        average_every: rounds between moves of the average: 1, or an epoch's.
    """

    spec: UpdateSpec
    adds: bool
    average_every: int = 1

    def start(self, weights: Vectors) -> TrainState:
        """Return the state before round 0."""
        return self.spec.chain().init(weights, NUMPY)

    def advance(self, state: TrainState, mean: Vectors, step_size: float) -> TrainState:
        """Return the state after a round.

        Args:
            state: before.
            mean: of the answers, by tensor.
            step_size: α of this round.
        """
        if self.adds:
            moved = Chain().apply(state, {n: -v for n, v in mean.items()}, 1.0, NUMPY)
        else:
            moved = self._chain().apply(state, mean, step_size, NUMPY)
        return self._averaged(moved)

    def served(self, state: TrainState) -> Vectors:
        """Return the weights to evaluate and to ship: the average, once it has moved at all.

        Before the end of its first epoch it is where the run began, and says nothing of it.
        """
        begun = state.updates >= self.average_every
        return state.served if begun else state.slots[WEIGHTS]

    def _chain(self) -> Chain:
        whole = self.spec.chain()
        return Chain(whole.parts, whole.decoupled_decay)

    def _averaged(self, state: TrainState) -> TrainState:
        if EMA not in state.slots or state.updates % self.average_every:
            return state
        count = state.updates // self.average_every  # from 1, as torch_ema counts
        average = Average(self.spec.average)
        moved = average.apply(state.slots[EMA], state.slots[WEIGHTS], count)
        return state.with_slots(**{EMA: moved})


def weighted_mean(
    vectors: Sequence[NDArray[np.float32]], weights: Sequence[float]
) -> NDArray[np.float32]:
    """Return Σ w_c v_c / Σ w_c in float64, rounded once.

    Example:
        >>> weighted_mean([np.float32([0, 4]), np.float32([2, 0])], [3, 1]).tolist()
        [0.5, 3.0]
    """
    total = np.zeros(vectors[0].shape)
    for vector, weight in zip(vectors, weights, strict=True):
        total += vector.astype(np.float64) * weight
    return (total / sum(weights)).astype(np.float32)
