"""A client: same bytes for the same plan, trouble by name, changes told once, nothing raised."""

import dataclasses
import hashlib
import weakref

import numpy as np
import pytest

from baffle.directions import ModelSignature, TensorSpec
from baffle.fleet import Pace
from baffle.protocol.exchange import (
    Ask,
    Evaluation,
    Holds,
    Reported,
    SnapshotHeader,
    TailRow,
    Trouble,
    client_tag,
    decode_answer,
    decode_ask,
    encode_ask,
)
from tests.fleet.world import Backing, Home, MemoryStore, client_of, settings_of


@pytest.fixture
def home(tmp_path):
    made = Home(
        tmp_path / "run", settings_of(clients=2, rounds=9), Pace(gather=0, evaluate_every=1)
    )
    yield made
    made.ledger.close()


def joined(home, **options):
    """Return a client that has joined as node 100, and its store."""
    store = MemoryStore()
    client = client_of(0, store, **options)
    (greeting,) = home.coordinator.see(frozenset({100}), 0.0)
    home.coordinator.receive(100, client.handle(greeting.parts), 0.0)
    return client, store


def asked(home):
    (out,) = home.coordinator.open(0.0)
    return out.parts


def said(home, client, parts):
    return decode_answer(client.handle(parts), home.genesis.run)


def step(home, client, parts):
    """Let the round end and return the next ask."""
    assert home.coordinator.receive(100, client.handle(parts), 0.0) == []
    home.store(home.coordinator.close(0.0))
    home.coordinator.commit()
    return asked(home)


def test_it_answers_the_same_bytes_again_also_after_a_kill(home):
    client, store = joined(home)
    parts = asked(home)
    first = client.handle(parts)
    assert isinstance(decode_answer(first), Reported)
    assert client.handle(parts) == first
    assert client_of(0, store).handle(parts) == first


def test_an_evaluation_comes_with_the_report_if_it_is_asked_for(home):
    client, _ = joined(home)
    parts = asked(home)
    assert isinstance(said(home, client, parts).evaluation, Evaluation)
    ask = dataclasses.replace(decode_ask(parts[0]), evaluate=False)
    assert said(home, client, (encode_ask(ask), *parts[1:])).evaluation is None


def test_a_report_has_the_seal_of_its_plan_and_its_client(home):
    client, _ = joined(home)
    parts = asked(home)
    found, plan = said(home, client, parts), decode_ask(parts[0]).plan
    tag = client_tag(hashlib.sha256(b"secret\0").digest(), home.genesis.run)
    assert found.sealed(tag, plan) == found
    assert found.sealed(tag, plan + b"\0") != found
    assert found.sealed(bytes(16), plan) != found
    changed = dataclasses.replace(found, report=found.report[:-1] + b"\1")
    assert changed.sealed(tag, plan).seal != found.seal


def test_an_ask_for_another_number_is_another_ask(home):
    client, _ = joined(home)
    parts = asked(home)
    other = dataclasses.replace(decode_ask(parts[0]), client=1)
    assert client.handle((encode_ask(other), *parts[1:])) != client.handle(parts)


def test_changed_data_are_told_once_and_then_used(home):
    client, store = joined(home)
    parts = asked(home)
    before = client.handle(parts)
    after = client_of(0, store, version=1)
    trouble = said(home, after, parts)
    assert (trouble.reason, "its data changed" in trouble.text) == ("data", True)
    found = after.handle(parts)
    assert isinstance(decode_answer(found), Reported)
    assert found != before
    assert client_of(0, store, version=1).handle(parts) == found


class Other(Backing):
    signature = ModelSignature((TensorSpec("b", (5,)), TensorSpec("w", (2, 3))))


class Empty(Backing):
    def __init__(self, number):
        super().__init__(number)
        self.examples = 0


class Broken(Backing):
    def __init__(self, number, losses):
        super().__init__(number)
        self.probe = lambda weights, points, examples: losses(len(points))


def crash(count):
    raise RuntimeError("could not convert 'Jane Doe, positive'")


@pytest.mark.parametrize(
    ("reason", "words", "made"),
    [
        ("model", "this client's model", Other(0)),
        ("data", "at least one example", Empty(0)),
        ("nonfinite", "finite", Broken(0, lambda count: np.full(count, np.nan))),
        ("probe", "float64 losses", Broken(0, lambda count: np.zeros(count + 1))),
        ("failed", "its code failed with RuntimeError", Broken(0, crash)),
    ],
)
def test_what_is_wrong_with_it_is_told_by_name(home, reason, words, made):
    client, store = joined(home)
    parts = asked(home)
    found = said(home, client_of(0, store, make=lambda genesis: made), parts)
    assert found.reason == reason
    assert words in found.text
    assert "Jane" not in found.text  # what someone's own code says stays with the client
    assert isinstance(said(home, client_of(0, store), parts), Reported)
    assert client is not None


def test_what_it_cannot_follow_is_told_with_what_it_holds(home):
    client, _ = joined(home)
    first = asked(home)
    second = step(home, client, first)
    third = step(home, client, second)
    ask = decode_ask(third[0])
    holding = client._replica.holding
    assert holding.round == 1
    cases = {
        "behind": dataclasses.replace(ask, tail=()),
        "run": dataclasses.replace(ask, run=bytes(16)),
        "decode": dataclasses.replace(ask, tail=[TailRow(b"", b"")]),
        "digest": dataclasses.replace(
            ask, tail=[TailRow(_with_digest(ask.tail[0].plan), ask.tail[0].outcome)]
        ),
    }
    for reason, other in cases.items():
        found = decode_answer(client.handle((encode_ask(other),)), other.run)
        assert (found.reason, found.holding) == (reason, holding)
    assert isinstance(said(home, client, third), Reported)


def _with_digest(plan):
    return plan[:30] + bytes(32) + plan[62:]


@pytest.mark.parametrize(
    "parts", [(), (b"",), (b"A",), (bytes(200),), (b"\x41\x01\xff" + bytes(99),)]
)
def test_noise_is_answered_with_trouble(home, parts):
    client, _ = joined(home)
    found = said(home, client, parts)
    assert isinstance(found, Trouble)
    assert found.reason == "decode"


def test_a_snapshot_with_other_chunks_is_no_snapshot(home):
    client, _ = joined(home)
    parts = asked(home)
    for chunks in ((), (parts[1][:-1],), (parts[1], b""), (parts[1][:-1] + b"\x7f",)):
        found = said(home, client, (parts[0], *chunks))
        assert found.reason == "decode"
        assert "snapshot" in found.text
    header = decode_ask(parts[0]).snapshot
    assert isinstance(header, SnapshotHeader)


def test_memory_that_changed_by_itself_is_noticed_when_it_says_what_it_holds(home):
    client, _ = joined(home)
    step(home, client, asked(home))
    copy = client._replica
    weights = {n: a + np.float32(n == "b") for n, a in copy.state.weights.items()}
    client._replica = dataclasses.replace(copy, state=copy.state.with_slots(weights=weights))
    found = said(home, client, (encode_ask(Ask(home.genesis.run, 0)),))
    assert isinstance(found, Holds)
    assert found.holding.digest != copy.digest


def test_a_wiped_client_is_mended_within_the_round(home):
    client, _ = joined(home)
    parts = step(home, client, asked(home))
    fresh = client_of(0, MemoryStore())
    (again,) = home.coordinator.receive(100, fresh.handle(parts), 0.0)
    assert home.coordinator.receive(100, fresh.handle(again.parts), 0.0) == []
    assert home.coordinator.over(0.0) == "enough"
    assert dict(home.coordinator.tally.faults) == {"run": 1}


def test_the_state_before_is_given_up_before_it_probes(home):
    """Two states beside a session are what a small device has no room for."""
    before = []

    class Probed(Backing):
        def evaluate(self, weights):
            alive.append([ref for ref in before if ref() is not None])
            return super().evaluate(weights)

    class Forgetful(MemoryStore):
        def save(self, replica, kept, rows=()):
            pass

    alive: list[list] = []
    client = client_of(0, Forgetful(), make=lambda genesis: Probed(0))
    (greeting,) = home.coordinator.see(frozenset({100}), 0.0)
    home.coordinator.receive(100, client.handle(greeting.parts), 0.0)
    parts = asked(home)
    for _ in range(3):
        after = step(home, client, parts)
        before.append(weakref.ref(client._replica.state))
        client.handle(after)
        parts = after
    assert alive
    assert alive[-1] == []
