"""One round's update: parts in order, the step, decoupled weight decay, the grid, the average."""

from __future__ import annotations

from dataclasses import dataclass, field

from baffle.updates.average import Average
from baffle.updates.energies import ENERGIES, Energies, Floor
from baffle.updates.grid import Grid
from baffle.updates.ops import Ops, f32
from baffle.updates.parts import Moment, Part
from baffle.updates.state import EMA, WEIGHTS, Slot, TrainState


@dataclass(frozen=True)
class Chain:
    """θ ← θ - α (u + λ θ), u the last part's estimate, α the plan's step size.

    Args:
        parts: applied in order; none is plain SGD.
        decoupled_decay: λ; taken outside the parts, as in AdamW.
        average: the weights' average, or None.
        energies: what is kept of the gradient's size by tensor, or None.
        grid: what keeps int8 weights where an int8 is.

    Every float32 operation is rounded on its own, so that NumPy and torch agree bit for bit.
    """

    parts: tuple[Part, ...] = ()
    decoupled_decay: float = 0.0
    average: Average | None = None
    energies: Energies | None = None
    grid: Grid = field(default_factory=Grid)

    @property
    def by_entry(self) -> bool:
        """Whether an entry's step looks at nothing but that entry: any stretch goes alone."""
        alone = all(part.by_entry for part in self.parts)
        return alone and not self.energies and not self.grid.stochastic

    def init(self, weights: Slot, ops: Ops) -> TrainState:
        """Return the state before the first round; the arrays are copies."""
        own = {name: ops.asarray(array) for name, array in weights.items()}
        slots: dict[str, Slot] = {WEIGHTS: own}
        for part in self.parts:
            slots.update(part.init(own, ops))
        if self.average:
            slots[EMA] = {name: ops.asarray(array) for name, array in weights.items()}
        if self.energies:
            slots[ENERGIES] = self.energies.init(own, ops)
        return TrainState(0, slots)

    def apply(
        self,
        state: TrainState,
        estimate: Slot,
        step_size: float,
        ops: Ops,
        floor: Floor | None = None,
    ) -> TrainState:
        """Return the state after one closed round.

        Args:
            state: before.
            estimate: float32 by tensor.
            step_size: α of this round, from the plan.
            ops: array library.
            floor: of this estimate, where energies are kept.
        """
        slots = dict(state.slots)
        if self.energies and floor:
            slots[ENERGIES] = self.energies.apply(
                state.slots[ENERGIES], estimate, floor, state.updates, ops
            )
        for part in self.parts:
            estimate, changed = part.apply(
                estimate, Moment(state.weights, slots, state.updates, ops)
            )
            slots.update(changed)
        moved = self._step(state.weights, estimate, step_size)
        slots[WEIGHTS] = self.grid.kept(moved, state.round, ops)
        if self.average:
            slots[EMA] = self.average.apply(state.slots[EMA], slots[WEIGHTS], state.updates)
        return TrainState(state.round + 1, slots, state.updates + 1)

    def _step(self, weights: Slot, estimate: Slot, step_size: float) -> Slot:
        alpha = f32(step_size)
        if not self.decoupled_decay:
            return {name: w - estimate[name] * alpha for name, w in weights.items()}
        shrink = f32(step_size * self.decoupled_decay)
        return {name: (w - w * shrink) - estimate[name] * alpha for name, w in weights.items()}
