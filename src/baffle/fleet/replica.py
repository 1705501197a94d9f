"""A client's copy of a run: what an ask brings, followed from state to state."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from baffle.errors import BoundError, DecodeError, LedgerError, Refused
from baffle.fleet.room import MEMORY, Held, Room
from baffle.protocol import Genesis, Rules, decode_outcome, decode_plan
from baffle.protocol.exchange import Ask, Holding, SnapshotHeader, TailRow
from baffle.protocol.exchange.ask import MAX_HELD
from baffle.protocol.messages import DIGEST_BYTES, Outcome, Plan
from baffle.updates import NUMPY, Ops, TrainState
from baffle.updates.hollow import HOLLOW, hollow


@dataclass(frozen=True)
class Replica:
    """One client's copy.

    Args:
        genesis: of the run.
        state, digest: where the copy stands; None before the first state came.
        ops: array library of the updates.
        room: where its states lie.
    """

    genesis: Genesis
    state: TrainState | None = None
    digest: bytes = b""
    ops: Ops = NUMPY
    room: Room = MEMORY

    @cached_property
    def rules(self) -> Rules:
        """What the run's integers mean."""
        return Rules.of(self.genesis, self.ops)

    @cached_property
    def form(self) -> TrainState:
        """A state of this run's form, without numbers: known before a snapshot comes."""
        trained = (t for _, t in self.genesis.signature.trained)
        return self.rules.chain.init({t.name: hollow(t.shape) for t in trained}, HOLLOW)

    @property
    def holding(self) -> Holding | None:
        """What it holds, as an answer says it."""
        return Holding(self.state.round, self.digest) if self.state else None

    def hashed(self) -> Replica:
        """Return the copy with its digest computed anew: memory or disk may fail in a long wait."""
        try:
            digest = self.state.digest() if self.state else b""
        except LedgerError:  # its file has lost its end: told as what nobody knows, it is replaced
            digest = bytes(DIGEST_BYTES)
        return self if digest == self.digest else dataclasses.replace(self, digest=digest)

    def catch_up(self, ask: Ask, chunks: Sequence[bytes]) -> Replica:
        """Return the copy after what an ask brings.

        Rounds that it has followed already are passed over: an ask may come twice, or late.

        Raises:
            DecodeError: bytes that are no snapshot or no round of this run.
            Refused: "behind" if it lacks what the ask goes on from.
        """
        copy = self
        if ask.snapshot is not None:
            copy = self._loaded(ask.snapshot, chunks)
        for row in ask.tail:
            copy = copy.followed(row)
        return copy

    def _loaded(self, header: SnapshotHeader, chunks: Sequence[bytes]) -> Replica:
        try:
            if header.size < 4 * self.genesis.signature.dimension:
                raise ValueError(f"expected at least every weight, got {header.size} bytes")
            state, digest = self.room.loaded(header, chunks, self.form)
        except ValueError as problem:
            raise DecodeError(f"snapshot of round {header.round}: {problem}") from None
        return dataclasses.replace(self, state=state, digest=digest)

    def followed(self, row: TailRow) -> Replica:
        """Return the copy after a closed round.

        Raises:
            DecodeError: not a plan and its outcome, or of another run, or not to be followed.
            Refused: "behind" or "digest" if the round does not go on from this copy.
        """
        plan, outcome = self._row(row)
        if self.state is None or plan.round > self.state.round:
            held = self.state.round if self.state else "nothing"
            raise Refused("behind", f"expected round {held} next, got round {plan.round}")
        if plan.round < self.state.round:
            return self
        if plan.digest != self.digest:
            raise Refused(
                "digest",
                f"round {plan.round} goes on from {plan.digest.hex()[:16]}…, "
                f"this copy is {self.digest.hex()[:16]}…",
            )
        state, digest = self._advanced(self.state, plan, outcome)
        return dataclasses.replace(self, state=state, digest=digest)

    def _advanced(self, state: TrainState, plan: Plan, outcome: Outcome) -> Held:
        scales = plan.scale_exponents
        if scales and len(scales) != len(self.genesis.signature.trained):
            raise DecodeError(f"round {plan.round}: {len(scales)} scales are not one a tensor")
        try:
            # Numbers without bound are the server's to explain; the next digest tells them apart.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                return self.room.advanced(self.rules, state, plan, outcome)
        except BoundError as problem:
            raise DecodeError(f"round {plan.round}: {problem}") from None
        except LedgerError as problem:
            raise Refused("behind", f"its state is of no use any more: {problem}") from None

    def _row(self, row: TailRow) -> tuple[Plan, Outcome]:
        plan = decode_plan(row.plan)
        outcome = decode_outcome(row.outcome, plan.sums)
        if not (plan.run == outcome.run == self.genesis.run and plan.round == outcome.round):
            raise DecodeError("a round of another run, or a plan and an outcome of two rounds")
        if plan.round >= MAX_HELD:
            raise DecodeError(f"expected a round below {MAX_HELD}, got {plan.round}")
        return plan, outcome
