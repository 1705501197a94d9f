"""A whole client under fire: whatever comes, it answers, and never with what it was not asked."""

import contextlib
import dataclasses
import hashlib

import numpy as np
import pytest

from baffle.errors import DecodeError
from baffle.fleet import FleetClient, Identity, Kept
from baffle.fleet.replica import Replica
from baffle.ledger import snapshot
from baffle.protocol import decode_outcome, decode_plan, encode_outcome, encode_plan
from baffle.protocol.exchange import (
    Ask,
    Reported,
    SnapshotHeader,
    TailRow,
    Trouble,
    client_tag,
    decode_answer,
    encode_ask,
)
from baffle.updates import TrainState
from tools.fuzz.draws import Draws
from tools.fuzz.exchange import ask_fields
from tools.fuzz.history import make
from tools.fuzz.mutations import Sample, mutated

SECRET = bytes(range(32))
ROUNDS = 3


class Backing:
    examples, fingerprint = 4, b"data"

    def __init__(self, signature):
        self.signature = signature

    def probe(self, weights, points, examples):
        return np.linspace(0.5, 1.5, len(points))

    def evaluate(self, weights):
        return None


class Disk(dict):
    def begin(self, genesis):
        return Replica(genesis)

    def load(self, run):
        return self.get(run)

    def save(self, replica, kept, rows=()):
        self[replica.genesis.run] = (replica, Kept(kept.data, kept.microseconds))


def client(disk):
    return FleetClient(
        Identity(lambda genesis: SECRET, 3), lambda g: Backing(g.signature), disk, lambda: 0.0
    )


def parcel(run, state, limit=100):
    data = snapshot.encode(state)
    chunks = [data[at : at + limit] for at in range(0, len(data), limit)]
    header = SnapshotHeader(state.round, len(data), hashlib.sha256(data).digest(), len(chunks))
    return header, chunks


def asks(run):
    """Return the asks that a server may send: a greeting, a start, a catching up, a round."""
    genesis, ask = run.genesis.to_bytes(), Ask(run.genesis.run, 3)
    header, chunks = parcel(run, run.states[0])
    late, late_chunks = parcel(run, run.states[2])
    start = dataclasses.replace(ask, genesis=genesis, snapshot=header, plan=run.rows[0].plan)
    return [
        (dataclasses.replace(ask, genesis=genesis), []),
        (start, chunks),
        (dataclasses.replace(ask, tail=run.rows[:2], plan=run.rows[2].plan), []),
        (dataclasses.replace(start, snapshot=late, plan=run.rows[2].plan), late_chunks),
    ]


def test_a_client_answers_whatever_comes():
    draws, kinds = Draws(11), set()
    run, other = make(Draws(7), ROUNDS), make(Draws(8), ROUNDS)
    tag = client_tag(SECRET, run.genesis.run)
    known = [(encode_ask(a), ask_fields(a), c, a.plan) for a, c in (*asks(run), *asks(other))]
    pool = [Sample(data, fields, 3) for data, fields, _, _ in known]
    one = client(disk := Disk())
    for n in range(1500):
        if n % 50 == 0:
            one = client(disk)  # killed and started again
        data, fields, chunks, plan = draws.pick(known)
        chunks = list(chunks)
        if draws.chance(2):
            data = mutated(draws, Sample(data, fields, 3), pool)
        elif chunks and draws.chance(2):
            at = draws.below(len(chunks))
            chunks[at] = mutated(draws, Sample(chunks[at]), pool)
        said = one.handle([data, *chunks] if not draws.chance(100) else [])
        answer = _read(said, data[3:19], run.genesis.run, other.genesis.run, b"")
        kinds.add(answer.reason if isinstance(answer, Trouble) else type(answer).__name__)
        if isinstance(answer, Reported) and data in (k[0] for k in known[:4]):
            assert answer.sealed(tag, plan) == answer
    assert {"Reported", "Holds", "decode", "behind", "digest"} <= kinds
    assert "failed" not in kinds


def _read(said, *contexts):
    """Return the answer: sealed with the run that was asked for, or with the one held."""
    for run in contexts:
        with contextlib.suppress(DecodeError):
            return decode_answer(said, run)
    return pytest.fail(f"no answer of any run: {said.hex()}")


@pytest.mark.parametrize("beyond", [False, True])
def test_a_state_of_the_last_number_there_is_does_not_end_a_client(beyond):
    """A round more than there is room for in an answer once did."""
    run, one = make(Draws(7), 1), client(Disk())
    state = TrainState(2**32 - 2 + beyond, run.states[0].slots, 0)
    header, chunks = parcel(run, state)
    ask = Ask(run.genesis.run, 3, run.genesis.to_bytes(), header)
    said = one.handle([encode_ask(ask), *chunks])
    answer = decode_answer(said, b"" if beyond else run.genesis.run)
    assert answer.reason == "decode" if beyond else answer.holding.round == state.round
    last = dataclasses.replace(decode_plan(run.rows[0].plan), round=state.round)
    outcome = dataclasses.replace(decode_outcome(run.rows[0].outcome, last.count), round=last.round)
    row = TailRow(encode_plan(last), encode_outcome(outcome))
    with pytest.raises(DecodeError, match="expected a round below"):
        Replica(run.genesis, state, state.digest()).followed(row)


def test_snapshot_and_tail_are_taken_together_or_not_at_all():
    run, one = make(Draws(7), ROUNDS), client(Disk())
    (first, chunks), ask = parcel(run, run.states[0]), Ask(run.genesis.run, 3)
    start = dataclasses.replace(ask, genesis=run.genesis.to_bytes(), snapshot=first)
    one.handle([encode_ask(start), *chunks])
    forged = TailRow(run.rows[1].plan, run.rows[0].outcome)
    said = one.handle([encode_ask(dataclasses.replace(ask, tail=(run.rows[0], forged)))])
    assert decode_answer(said, run.genesis.run).holding.round == 0
    said = one.handle([encode_ask(dataclasses.replace(ask, tail=run.rows))])
    assert decode_answer(said, run.genesis.run).holding.digest == run.digests[ROUNDS]
