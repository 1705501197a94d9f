"""The one way from a state to the next: server, client, late joiner and auditor all call it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from baffle.directions import ModelSignature
from baffle.errors import ProtocolError
from baffle.protocol.genesis import Genesis
from baffle.protocol.messages import Outcome, Plan
from baffle.updates import NUMPY, Chain, Ops, TrainState
from baffle.updates.grid import Grid
from baffle.updates.rebuild import Sums, estimate
from baffle.updates.state import WEIGHTS, Slot


@dataclass(frozen=True)
class Rules:
    """What a run's integers mean.

    Args:
        signature: of the model.
        chain: of updates.
        normalised: whether the values' deviation is divided out.
        ops: array library.
        key: that the directions come from; None where nobody asks plans for one.
    """

    signature: ModelSignature
    chain: Chain
    normalised: bool
    ops: Ops = NUMPY
    key: int | None = None

    @staticmethod
    def of(genesis: Genesis, ops: Ops = NUMPY) -> Rules:
        """Return the rules that a genesis states."""
        update, signature = genesis.update, genesis.signature
        numbers = {tensor.name: number for number, tensor in signature.trained}
        grid = Grid(update.stochastic, genesis.key, numbers)
        chain = dataclasses.replace(update.chain(), grid=grid)
        return Rules(signature, chain, update.normalised, ops, genesis.key)

    def start(self, weights: Slot) -> TrainState:
        """Return the state before round 0."""
        return self.chain.init(weights, self.ops)

    def estimate(self, state: TrainState, plan: Plan, outcome: Outcome) -> Slot:
        """Return the round's estimate by tensor."""
        # Only masked directions look at the weights; the others are spared the copy.
        weights = state.only(WEIGHTS).numpy()[WEIGHTS] if plan.kind.name == "masked" else None
        sums = self._sums(plan, outcome)
        return estimate(plan.kind, self.signature, plan.key, plan.round, 0, sums, weights, self.ops)

    def _sums(self, plan: Plan, outcome: Outcome) -> Sums:
        sets = outcome.values.reshape(plan.sets, plan.num_local_steps, plan.num_directions)
        return Sums(
            sets.transpose(1, 0, 2).reshape(plan.num_local_steps, -1),
            outcome.weight,
            plan.step_exponent,
            plan.tensor_scales(self.signature),
            self.normalised,
            plan.num_directions,
        )

    def advance(self, state: TrainState, plan: Plan, outcome: Outcome) -> TrainState:
        """Return the state after a round: the same bits for everyone.

        Args:
            state: after `plan.round` rounds.
            plan, outcome: of this round.

        Raises:
            ProtocolError: the round does not follow the state.
        """
        if outcome.abandoned:
            self._require_next(state, plan, outcome)
            return dataclasses.replace(state, round=state.round + 1)
        found, floor = self.estimated(state, plan, outcome), None
        if self.chain.energies:
            floor = self._sums(plan, outcome).floor(self.signature)
        return self.chain.apply(state, found, plan.step_size, self.ops, floor)

    def estimated(self, state: TrainState, plan: Plan, outcome: Outcome) -> Slot:
        """Return the estimate of the round that follows a state.

        Raises:
            ProtocolError: as `advance`.
        """
        self._require_next(state, plan, outcome)
        return self.estimate(state, plan, outcome)

    @staticmethod
    def _require_next(state: TrainState, plan: Plan, outcome: Outcome) -> None:
        if not state.round == plan.round == outcome.round:
            raise ProtocolError(
                f"expected round {state.round} next, got a plan of round {plan.round} and an "
                f"outcome of round {outcome.round}"
            )
