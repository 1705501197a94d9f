"""A client's copy: what it follows, and what it does not."""

import dataclasses

import numpy as np
import pytest

from baffle.errors import DecodeError, Refused
from baffle.fleet import Downlink, Replica
from baffle.protocol.exchange import Ask
from tests.fleet.test_coordinator import Fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    made = Fleet(tmp_path_factory.mktemp("replica"))
    for _ in range(4):
        made.round()
    yield made
    made.home.ledger.close()


@pytest.fixture
def rows(fleet):
    return Downlink(fleet.home.ledger, fleet.home.genesis.initial).rows(0, 4)


@pytest.fixture
def start(fleet):
    state = fleet.home.ledger.load(0)
    return Replica(fleet.home.genesis, state, state.digest())


def ask(fleet, **sections):
    return Ask(fleet.home.genesis.run, 0, **sections)


def test_rounds_lead_to_the_servers_state(fleet, start, rows):
    server = fleet.coordinator.server
    found = start.catch_up(ask(fleet, tail=rows), ())
    assert (found.state.round, found.digest) == (4, server.digest)
    assert found.state.digest() == server.digest


def test_rounds_that_it_followed_are_passed_over(fleet, start, rows):
    two = start.catch_up(ask(fleet, tail=rows[:2]), ())
    assert two.catch_up(ask(fleet, tail=rows[:2]), ()) is two
    assert two.catch_up(ask(fleet, tail=rows), ()).state.round == 4


def test_a_state_and_rounds_behind_it(fleet, start, rows):
    two = start.catch_up(ask(fleet, tail=rows[:2]), ())
    lacking = Downlink(fleet.home.ledger, b"").whole(two.state, two.digest)
    empty = Replica(fleet.home.genesis)
    found = empty.catch_up(ask(fleet, snapshot=lacking.snapshot, tail=rows[2:]), lacking.chunks)
    assert found.digest == fleet.coordinator.server.digest


def test_what_does_not_go_on_from_here_is_refused(fleet, start, rows):
    with pytest.raises(Refused, match="expected round 0 next, got round 1") as found:
        start.catch_up(ask(fleet, tail=rows[1:]), ())
    assert found.value.reason == "behind"
    with pytest.raises(Refused, match="expected round nothing next"):
        Replica(fleet.home.genesis).catch_up(ask(fleet, tail=rows), ())
    weights = {n: a + np.float32(1) for n, a in start.state.weights.items()}
    other = dataclasses.replace(start, state=start.state.with_slots(weights=weights)).hashed()
    with pytest.raises(Refused, match="round 0 goes on from") as found:
        other.catch_up(ask(fleet, tail=rows), ())
    assert found.value.reason == "digest"


def test_a_plan_with_the_outcome_of_another_round_is_none(fleet, start, rows):
    mixed = dataclasses.replace(rows[0], outcome=rows[1].outcome)
    with pytest.raises(DecodeError):
        start.catch_up(ask(fleet, tail=[mixed]), ())


def test_a_state_is_of_the_round_that_its_header_says(fleet, start):
    lacking = Downlink(fleet.home.ledger, b"").whole(start.state, start.digest)
    header = dataclasses.replace(lacking.snapshot, round=1)
    with pytest.raises(DecodeError, match="expected a snapshot of round 1, got 0"):
        start.catch_up(ask(fleet, snapshot=header), lacking.chunks)


def test_hashing_anew_changes_nothing_that_is_sound(start, fleet):
    assert start.hashed() is start
    assert Replica(fleet.home.genesis).hashed().holding is None
