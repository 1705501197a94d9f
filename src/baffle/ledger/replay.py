"""From a ledger to the weights of any round: what resume, late joiners and auditors call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from baffle.errors import LedgerTampered
from baffle.ledger.chain import Row
from baffle.ledger.store import Ledger
from baffle.protocol import Genesis, Last, Rules, decode_outcome, decode_plan
from baffle.updates import NUMPY, Ops, TrainState


def decode_row(row: Row) -> Last:
    """Return the plan and the outcome that a row holds."""
    plan = decode_plan(row.plan)
    return Last(plan, decode_outcome(row.outcome, plan.sums))


@dataclass(frozen=True)
class Replayed:
    """A state of the run, and the round that led to it (None at the start)."""

    state: TrainState
    last: Last | None


def states(
    ledger: Ledger, upto: int | None = None, since: int | None = None, ops: Ops = NUMPY
) -> Iterator[Replayed]:
    """Yield the state after each round, from a snapshot on, each checked against its digest.

    Args:
        ledger: open for reading at least.
        upto: last round wanted; the ledger's last by default.
        since: begin at the newest snapshot at or before this round; `upto` by default.
        ops: array library that the update runs on.

    Raises:
        LedgerTampered: a round's rebuilt state has another digest than the stored one.
        LedgerError: rounds that are not stored.
    """
    upto = ledger.last_round if upto is None else upto
    genesis = Genesis.from_bytes(ledger.genesis)
    rules = Rules.of(genesis, ops)
    start = ledger.nearest(upto if since is None else since)
    state = on_ops(ledger.load(start), ops)
    if start == 0 and state.digest() != genesis.initial:
        raise LedgerTampered(0, "round 0: the first snapshot is not the one that the genesis names")
    yield Replayed(state, _last_at(ledger, start))
    for row in ledger.rows(start + 1, upto):
        last = decode_row(row)
        state = rules.advance(state, last.plan, last.outcome)
        if state.digest() != row.digest:
            raise LedgerTampered(
                row.round,
                f"round {row.round}: replay gives the digest {state.digest().hex()[:16]}…, "
                f"stored is {row.digest.hex()[:16]}…",
            )
        yield Replayed(state, last)


def replay(ledger: Ledger, round: int | None = None, ops: Ops = NUMPY) -> Replayed:
    """Return the state after a round, the bits of the live run.

    Args:
        ledger: open for reading at least.
        round: the ledger's last by default.
        ops: array library.

    Raises:
        LedgerTampered, LedgerError: as `states`.
    """
    *_, found = states(ledger, round, ops=ops)
    return found


def _last_at(ledger: Ledger, round: int) -> Last | None:
    if round == 0:
        return None
    return decode_row(next(iter(ledger.rows(round, round))))


def on_ops(state: TrainState, ops: Ops) -> TrainState:
    """Return the state with its arrays in another library."""
    slots = {
        slot: {n: ops.asarray(a) for n, a in arrays.items()}
        for slot, arrays in state.numpy().items()
    }
    return TrainState(state.round, slots, state.updates)
