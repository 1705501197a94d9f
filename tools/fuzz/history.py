"""A small run: a genesis, honest rounds, and the state after each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from baffle.directions import ModelSignature, TensorSpec
from baffle.fleet.replica import Replica
from baffle.protocol import Genesis, Rules, encode_outcome, encode_plan
from baffle.protocol.exchange import TailRow
from baffle.updates import TrainState, UpdateSpec
from tools.fuzz import messages
from tools.fuzz.draws import Draws

UPDATES = (
    UpdateSpec("sgd"),
    UpdateSpec("momentum", average=0.9),
    UpdateSpec("adam", l2=1e-4, normalised=True),
    UpdateSpec("adam_by_tensor", decoupled_decay=0.01),
)


@dataclass(frozen=True)
class History:
    """A run's first rounds.

    Args:
        genesis: of the run.
        states, digests: before round 0 and after each round.
        rows: the rounds.
    """

    genesis: Genesis
    states: tuple[TrainState, ...]
    digests: tuple[bytes, ...]
    rows: tuple[TailRow, ...]

    def replica(self, round: int) -> Replica:
        """Return a copy that has followed so many rounds."""
        return Replica(self.genesis, self.states[round], self.digests[round])


def make(draws: Draws, rounds: int, shape: tuple[int, int] = (2, 3)) -> History:
    """Return a run of so many rounds; all of it, the weights too, comes from `draws`."""
    signature = ModelSignature((TensorSpec("b", shape[:1]), TensorSpec("w", shape)))
    update = draws.pick(UPDATES)
    weights = {t.name: draws.rng.standard_normal(t.shape, np.float32) for t in signature.tensors}
    start = Rules(signature, update.chain(), update.normalised).start(weights)
    genesis = Genesis("baffle", draws.bits(64), signature, update, start.digest())
    rules, states, rows = Rules.of(genesis), [start], []
    for _ in range(rounds):
        state, row = _round(draws, genesis, rules, states[-1])
        states.append(state)
        rows.append(row)
    return History(genesis, tuple(states), tuple(s.digest() for s in states), tuple(rows))


def _round(
    draws: Draws, genesis: Genesis, rules: Rules, state: TrainState
) -> tuple[TrainState, TailRow]:
    asked = dataclasses.replace(
        messages.plan(draws), run=genesis.run, round=state.round, key=genesis.key,
        digest=state.digest(), groups=1, shared_directions=False,
        num_directions=4, num_local_steps=1, pairs=2, scale_exponents=draws.pick(((), (1, -1))),
        step_size=0.02, local_factor=0.0, step_exponent=-8,
    )  # fmt: skip
    outcome = messages.outcome(draws, asked, largest=2**15)
    outcome = dataclasses.replace(outcome, weight=outcome.weight & 0xFFFF | 1)
    row = TailRow(encode_plan(asked), encode_outcome(outcome))
    return rules.advance(state, asked, outcome), row
