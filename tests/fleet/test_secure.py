"""Secure sums in a fleet, event by event: stages, who drops where, how many exchanges."""

import dataclasses

import pytest

from baffle.cohort import deal
from baffle.errors import Refused
from baffle.fleet import Pace
from baffle.protocol.exchange import Reported, decode_answer, decode_ask, encode_answer, encode_ask
from tests.fleet.secure_world import require_sum
from tests.fleet.world import Home, MemoryStore, client_of, settings_of


def test_a_round_is_the_sum_of_reports_and_takes_two_exchanges(made):
    fleet = made(clients=5)
    for number in range(6):
        before = fleet.c.server.state, fleet.c.server.digest
        fleet.sent.clear()
        closed = fleet.round()
        require_sum(fleet, *before, closed)
        last = number == 5
        first = {"share": 5} if number == 0 else {}
        assert fleet.sent == first | {"mask": 5, "unmask" if last else "share+unmask": 5}
    assert fleet.faults == {}
    fleet.deliver(fleet.c.farewell())
    assert (fleet.c.left_to_go(), fleet.c.agreed()) == (0, 5)


def test_two_groups_have_two_sums(made):
    fleet = made(clients=7, groups={"number": 2})
    before = fleet.c.server.state, fleet.c.server.digest
    closed = fleet.round()
    dealt = deal(fleet.home.genesis.key, 0, range(7), 2)
    assert fleet.c._groups == dealt
    assert closed.plan.groups == 2
    require_sum(fleet, *before, closed)


def test_a_group_that_is_abandoned_is_absent_and_the_other_counts(made):
    fleet = made(clients=7, groups={"number": 2})
    small, large = sorted(deal(fleet.home.genesis.key, 0, range(7), 2).members, key=len)
    fleet.lost = {("mask", small[0])}
    before = fleet.c.server.state, fleet.c.server.digest
    closed = fleet.round()
    assert closed.participants == large
    require_sum(fleet, *before, closed)
    assert [e.fields["reason"] for e in fleet.c.tally.drain() if e.name == "group abandoned"] == [
        "masks"
    ]


@pytest.mark.parametrize(("stage", "summed"), [("share", 5), ("mask", 5), ("unmask", 6)])
def test_a_client_that_falls_silent_at_a_stage(made, stage, summed):
    """Before its vector is in it is not summed, after that it is; the round after, it is back."""
    fleet = made(clients=6)
    fleet.lost = {(stage, 2)}
    before = fleet.c.server.state, fleet.c.server.digest
    closed = fleet.round()
    assert len(closed.participants) == summed
    require_sum(fleet, *before, closed)
    fleet.lost = set()
    again = [fleet.round().participants for _ in range(3)]
    assert again[-1] == tuple(range(6))
    assert fleet.faults.keys() <= {"missing", "spent", "secure"}


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_too_few_abandon_the_round_and_the_run_goes_on(made, stage):
    fleet = made(clients=5)
    fleet.lost = {(stage, n) for n in (0, 1, 2)}
    digest = fleet.c.server.digest
    closed = fleet.round()
    assert closed.outcome.abandoned
    # Once its opening was asked for, a sum may be known, and is counted as if it were.
    assert closed.participants == (tuple(range(5)) if stage == "unmask" else ())
    assert not closed.outcome.values.size
    assert closed.digest != digest  # its number is part of the state
    fleet.lost = set()
    fleet.look(30.0)
    assert [len(fleet.round().participants) for _ in range(2)][-1] == 5


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_a_client_that_is_killed_at_a_stage_answers_the_reminder(made, stage):
    fleet = made(clients=5)
    fleet.lost = {(stage, 3)}
    fleet.open()
    fleet.lost = set()
    fleet.restart_client(3)
    before = fleet.c.server.state, fleet.c.server.digest
    fleet.look(21.0)
    closed = fleet.close()
    assert closed.participants == tuple(range(5))
    require_sum(fleet, *before, closed)
    assert fleet.faults == {}


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_an_answer_that_was_lost_is_given_again_with_the_same_bytes(made, stage):
    fleet = made(clients=5)
    fleet.lost = {(stage, 3)}
    fleet.open()
    fleet.lost = set()
    [ask] = fleet.c.remind(fleet.now + 21.0)
    first = fleet.peers[103].handle(ask.parts)
    fleet.restart_client(3)
    assert fleet.peers[103].handle(ask.parts) == first
    fleet.deliver(fleet.c.receive(103, first, fleet.now))
    assert fleet.close().participants == tuple(range(5))


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_a_server_that_is_killed_at_a_stage_goes_on(made, stage):
    """What was only shared is shared anew; a vector that was masked is never masked again."""
    fleet = made(clients=5)
    fleet.lost = {(stage, 4)}
    fleet.open()
    fleet.home.restart()
    fleet.lost = set()
    fleet.look(1.0)
    assert {m.advert is not None for m in fleet.c.present} == {True}
    closed = fleet.round()
    assert closed.outcome.abandoned == (stage != "share")
    assert fleet.round().participants == tuple(range(5))


def test_a_server_that_is_killed_before_it_stores_a_round_goes_on_with_the_next(made):
    """Its clients have shared for the round after, and do nothing more for this one."""
    fleet = made(clients=5)
    fleet.open()
    assert fleet.c.over(fleet.now)
    fleet.home.restart()
    fleet.look(1.0)
    assert fleet.round().outcome.abandoned
    assert fleet.faults["secure"] == 5
    fleet.look(5.0)
    assert fleet.round().participants == tuple(range(5))


def test_a_wallet_that_is_lost_or_damaged_is_made_anew(made):
    fleet = made(clients=5)
    fleet.round()
    run = fleet.home.genesis.run
    fleet.stores[1].wallets[run] = fleet.stores[1].wallets[run][:-1]
    del fleet.stores[2].wallets[run]
    gone = fleet.round()
    assert gone.outcome.abandoned  # two of five at once are more than the sums withstand
    assert fleet.faults == {"secure": 2}
    fleet.look(5.0)
    assert fleet.round().participants == tuple(range(5))


def test_a_disk_that_does_not_take_the_wallet_lets_no_answer_leave(made, monkeypatch):
    fleet = made(clients=6)

    def full(run, wallet):
        raise OSError("no space left")

    monkeypatch.setattr(fleet.stores[5], "keep_wallet", full)
    closed = fleet.round()
    assert closed.participants == tuple(range(5))
    assert fleet.faults == {"failed": 1}


# --- pace, and groups in the clear


def test_more_clients_than_wanted_end_the_masked_stage_early(made):
    fleet = made(
        clients=10, pace=Pace(gather=0.0, over_selection=0.25),
        federation={"clients": 10, "participation": 0.8},
    )  # fmt: skip
    fleet.c.cohort = 8
    fleet.lost = {("mask", n) for n in (3, 7)}
    fleet.open()
    assert fleet.c.over(fleet.now) == "enough"
    assert fleet.close().participants == (0, 1, 2, 4, 5, 6, 8, 9)


def test_who_went_away_is_not_waited_for(made):
    fleet = made(clients=6)
    fleet.lost = {("mask", 5)}
    fleet.open()
    online = frozenset(fleet.peers) - {105}
    fleet.look(1.0, online)
    assert fleet.c.over(fleet.now) is None
    fleet.look(20.0, online)
    assert fleet.c.over(fleet.now) == "all"
    assert fleet.close().participants == tuple(range(5))


def test_a_round_that_is_shared_for_and_has_lost_its_clients_is_given_up(made):
    fleet = made(clients=5)
    fleet.lost = {("share", 4)}
    fleet.open()
    fleet.look(31.0)
    fleet.close()
    few = frozenset({100, 101})
    fleet.look(1.0, few)
    fleet.look(25.0, few)
    assert not fleet.c.ready(fleet.now)
    assert fleet.c.ahead is None
    fleet.lost = set()
    fleet.look(1.0)
    fleet.look(1.0)
    assert fleet.round().participants == tuple(range(5))


def test_whose_budget_is_spent_is_not_asked(made):
    fleet = made(clients=5)
    left = dict.fromkeys(range(5), 2)
    fleet.c.eligible = lambda number, rounds: left[number] >= rounds

    def count(closed):
        for n in closed.participants:
            left[n] -= 1
        return closed.participants

    left[4] = 1
    fleet.open()
    assert count(fleet.close()) == tuple(range(5))
    assert not fleet.c.spent()
    fleet.look(1.0)
    assert count(fleet.round()) == tuple(range(4))
    assert fleet.c.spent()
    assert not fleet.c.ready(fleet.now)


def test_groups_in_the_clear_are_told_to_clients(tmp_path):
    home = Home(tmp_path / "run", settings_of(clients=6, groups={"number": 2, "least": 3}))
    peers = {100 + n: client_of(n, MemoryStore()) for n in range(6)}
    c, asks = home.coordinator, []

    def deliver(messages):
        for out in messages:
            asks.append(decode_ask(out.parts[0]))
            deliver(c.receive(out.node, peers[out.node].handle(out.parts), 0.0))

    deliver(c.see(frozenset(peers), 0.0))
    deliver(c.open(0.0))
    dealt = deal(home.genesis.key, 0, range(6), 2)
    assert {a.client: a.group for a in asks if a.plan} == {n: dealt.of(n) for n in range(6)}
    closed = c.close(0.0)
    home.ledger.close()
    assert closed.outcome.reports == 6
    assert len(closed.outcome.values) == 2 * closed.plan.count


def test_a_plan_with_groups_wants_the_clients_group(tmp_path):
    home = Home(tmp_path / "run", settings_of(clients=6, groups={"number": 2, "least": 3}))
    peers = {100 + n: client_of(n, MemoryStore()) for n in range(6)}
    for out in home.coordinator.see(frozenset(peers), 0.0):
        home.coordinator.receive(out.node, peers[out.node].handle(out.parts), 0.0)
    first = home.coordinator.open(0.0)[0]
    ask = dataclasses.replace(decode_ask(first.parts[0]), group=None)
    found = decode_answer(peers[first.node].handle((encode_ask(ask), *first.parts[1:])), ask.run)
    home.ledger.close()
    assert found.reason == "group"


def test_the_server_takes_no_single_report_in_a_run_of_secure_sums(made):
    fleet = made(clients=5)
    fleet.lost = {("mask", n) for n in range(5)}
    fleet.open()
    with pytest.raises(Refused, match="in the clear"):
        fleet.c.server.receive(bytes(80), 0)
    report = Reported(bytes(80)).sealed(fleet.c.members.by_number[0].tag, fleet.c._plan)
    assert fleet.c.receive(100, encode_answer(report), fleet.now) == []
    assert fleet.faults == {"secure": 1}
