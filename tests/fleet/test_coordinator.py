"""The server's side, event by event, where a run full of faults does not speak clearly."""

import dataclasses

import pytest

from baffle.fleet import Pace
from baffle.fleet.round import mean_evaluation
from baffle.protocol.exchange import (
    Evaluation,
    Holding,
    Holds,
    Trouble,
    decode_answer,
    decode_ask,
    encode_answer,
)
from tests.fleet.world import Home, MemoryStore, client_of, settings_of

NODES = (100, 101, 102)


class Fleet:
    """Three clients at their nodes, all joined."""

    def __init__(self, folder, **pace):
        settings = settings_of(clients=3, rounds=9)
        self.home = Home(folder / "run", settings, Pace(**{"gather": 0.0, **pace}))
        self.peers = {node: client_of(n, MemoryStore()) for n, node in enumerate(NODES)}
        self.deliver(self.coordinator.see(frozenset(NODES), 0.0))

    @property
    def coordinator(self):
        return self.home.coordinator

    @property
    def faults(self):
        return dict(self.coordinator.tally.faults)

    def says(self, node, answer, now=0.0):
        run = self.home.genesis.run
        return self.coordinator.receive(node, encode_answer(answer, run), now)

    def deliver(self, messages, now=0.0):
        todo = list(messages)
        while todo:
            out = todo.pop(0)
            todo += self.coordinator.receive(out.node, self.peers[out.node].handle(out.parts), now)

    def round(self, now=0.0):
        self.deliver(self.coordinator.open(now))
        return self.end(now)

    def end(self, now=0.0):
        closed = self.coordinator.close(now)
        self.home.store(closed)
        self.coordinator.commit()
        return closed


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path)
    yield made
    made.home.ledger.close()


def tag(fleet, number):
    return fleet.coordinator.members.by_number[number].tag


def test_a_report_without_its_seal_is_refused_and_the_node_asked_who_it_is(fleet):
    first, *_ = fleet.coordinator.open(70.0)
    report = decode_answer(fleet.peers[first.node].handle(first.parts))
    broken = dataclasses.replace(report, seal=bytes(8))
    (greeting,) = fleet.says(first.node, broken, 70.0)
    assert decode_ask(greeting.parts[0]).genesis is not None
    assert fleet.faults == {"seal": 1}
    assert fleet.says(first.node, broken, 71.0) == []  # not for every such report
    fleet.says(first.node, report, 72.0)
    assert len(fleet.coordinator.round.reported) == 1


def test_a_place_that_was_taken_with_anothers_tag_is_given_back(fleet):
    coordinator = fleet.coordinator
    coordinator.see(frozenset(NODES[:2]), 1.0)  # client 2 goes away, client 1 speaks in its name
    fleet.says(101, Holds(tag(fleet, 2), None, None))
    assert [m.number for m in coordinator.present] == [0, 2]
    fleet.deliver(coordinator.open(100.0), 100.0)
    assert fleet.faults == {"seal": 1}
    assert [m.number for m in coordinator.present] == [0, 1]
    assert fleet.end().participants == (0,)


def test_a_client_whose_node_speaks_for_another_is_not_waited_for(fleet):
    coordinator = fleet.coordinator
    coordinator.members.clients = 4
    coordinator.open(0.0)
    fleet.says(100, Holds(bytes(16), None, None))
    assert coordinator.round.lost == {0: "went away"}
    assert {out.node for out in coordinator.remind(30.0)} == {101, 102}


def test_who_is_silent_is_reminded_once(fleet):
    asks = fleet.coordinator.open(0.0)
    fleet.deliver(asks[:1])
    assert fleet.coordinator.remind(19.9) == []
    assert [out.node for out in fleet.coordinator.remind(20.0)] == [101, 102]
    assert fleet.coordinator.remind(40.0) == []


def test_who_comes_back_is_asked_again_also_as_another_node(fleet):
    coordinator = fleet.coordinator
    coordinator.open(0.0)
    coordinator.see(frozenset({100, 101}), 1.0)
    assert coordinator.round.lost == {}  # a list may blink
    coordinator.see(frozenset({100, 101}), 21.0)
    assert coordinator.round.lost == {2: "went away"}
    fleet.peers[500] = fleet.peers.pop(102)
    fleet.deliver(coordinator.see(frozenset({100, 101, 500}), 22.0))
    assert coordinator.round.reported == {2}
    assert coordinator.round.lost == {}


def test_a_full_disk_costs_no_report_and_acknowledges_nothing(fleet):
    asks = fleet.coordinator.open(0.0)
    fleet.deliver(asks)
    closed = fleet.coordinator.close(0.0)  # and the disk does not take it for a while
    late = fleet.peers[100].handle(asks[0].parts)
    assert fleet.coordinator.receive(100, late, 5.0) == []
    assert fleet.faults == {"round": 1}
    assert fleet.coordinator.server.state.round == 0
    fleet.home.store(closed)
    fleet.coordinator.commit()
    assert fleet.coordinator.server.state.round == 1


def test_a_server_that_starts_again_opens_the_same_plan(fleet):
    fleet.round()
    before = decode_ask(fleet.coordinator.open(0.0)[0].parts[0]).plan
    fleet.home.restart()
    fleet.deliver(fleet.coordinator.see(frozenset(NODES), 0.0))
    assert decode_ask(fleet.coordinator.open(0.0)[0].parts[0]).plan == before


def test_farewell_gives_everybody_the_final_state(fleet):
    fleet.round()
    fleet.deliver(fleet.coordinator.farewell())
    assert (fleet.coordinator.left_to_go(), fleet.coordinator.agreed()) == (0, 3)


def test_farewell_mends_who_says_that_it_holds_another_state(fleet):
    fleet.round()
    fleet.coordinator.farewell()
    for holding in (None, Holding(1, bytes(32)), Holding(0, fleet.home.genesis.initial)):
        fleet.coordinator.farewell()
        (again,) = fleet.says(100, Holds(tag(fleet, 0), None, holding))
        assert again.node == 100
        assert fleet.coordinator.left_to_go() == 3
    fleet.deliver([again])
    assert fleet.coordinator.left_to_go() == 2


def test_farewell_reaches_who_comes_while_it_is_said(fleet):
    fleet.coordinator.see(frozenset(NODES[:2]), 0.0)
    fleet.round()
    fleet.deliver(fleet.coordinator.farewell())
    fleet.peers[500] = client_of(2, MemoryStore())  # its disk was wiped
    fleet.deliver(fleet.coordinator.see(frozenset({100, 101, 500}), 1.0))
    assert (fleet.coordinator.left_to_go(), fleet.coordinator.agreed()) == (0, 3)


def test_trouble_that_no_state_mends_takes_a_client_out_of_its_round(fleet):
    fleet.coordinator.open(0.0)
    assert fleet.says(100, Trouble("model", "another model", None)) == []
    assert fleet.coordinator.round.lost == {0: "said model"}
    assert len(fleet.says(101, Trouble("digest", "other weights", None))) == 1
    assert fleet.says(101, Trouble("digest", "other weights", None)) == []
    assert fleet.coordinator.round.lost == {0: "said model", 1: "said digest"}


def test_faults_name_the_client_or_the_node_and_cannot_forge_a_log(fleet):
    fleet.says(100, Trouble("failed", "a\x1b[2J\nb", None))
    (event,) = [e for e in fleet.coordinator.tally.drain() if e.name == "fault"]
    assert event.fields["text"] == "client 0: a?[2J?b"
    fleet.coordinator.receive(999, encode_answer(Trouble("failed", "x", None)), 0.0)
    fleet.coordinator.receive(999, b"noise", 0.0)
    assert fleet.faults == {"failed": 1, "decode": 2}


def test_too_few_reports_abandon_the_round_and_say_why(fleet):
    fleet.coordinator.server.min_reports = 2
    asks = fleet.coordinator.open(0.0)
    fleet.deliver(asks[:1])
    closed = fleet.end(60.0)
    assert closed.outcome.abandoned
    (event,) = [e for e in fleet.coordinator.tally.drain() if e.name == "abandoned"]
    assert "at least 2 reports of 3 asked, got 1: 2 did not answer in time" in event.fields["text"]
    assert fleet.faults == {"missing": 2}


def test_a_client_that_lost_its_disk_does_not_hold_up_rounds(fleet):
    fleet.round()
    fleet.peers[101] = client_of(1, MemoryStore(), secret=b"another")
    fleet.deliver(fleet.coordinator.open(1.0), 1.0)
    assert fleet.coordinator.over(1.0) == "all"  # at once, not at the deadline
    assert fleet.end(1.0).participants == (0, 2)
    assert (fleet.faults["seal"], fleet.faults["identity"]) == (1, 1)
    fleet.deliver(fleet.coordinator.open(2.0), 2.0)
    assert fleet.end(2.0).participants == (0, 2)  # and is not asked for reports any more
    assert (fleet.faults["seal"], fleet.faults["identity"]) == (1, 1)


def test_a_lie_in_a_clients_name_costs_it_nothing(fleet):
    fleet.round()
    messages = fleet.coordinator.open(1.0)
    again = fleet.says(101, Holds(bytes(16), 1, None), 1.0)
    assert [m.node for m in again] == [101]
    fleet.deliver([*again, *messages], 1.0)
    assert fleet.end(1.0).participants == (0, 1, 2)


def test_an_outage_does_not_burn_the_rounds_of_a_run(fleet):
    fleet.coordinator.server.min_reports = 2
    fleet.coordinator.see(frozenset({100}), 0.0)
    assert not fleet.coordinator.ready(1e6)  # one client cannot make a round of two reports
    fleet.coordinator.see(frozenset(NODES), 0.0)
    waits, now = [], 0.0
    for _ in range(8):
        assert fleet.coordinator.ready(now)
        fleet.coordinator.open(now)
        for node in NODES:
            fleet.says(node, Trouble("probe", "no", None), now)
        assert fleet.end(now).outcome.abandoned
        began = now
        while not fleet.coordinator.ready(now):
            now += 0.5
        waits.append(now - began)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    fleet.round(now)
    assert fleet.coordinator.ready(now)  # and all is forgotten after one that went well


def test_a_list_that_blinks_loses_no_report(fleet):
    asks = fleet.coordinator.open(0.0)
    fleet.coordinator.see(frozenset(), 1.0)
    assert fleet.coordinator.over(1.0) is None
    fleet.deliver([*fleet.coordinator.see(frozenset(NODES), 3.0), *asks], 3.0)
    assert fleet.end(3.0).participants == (0, 1, 2)


def test_a_second_report_to_the_round_before_is_no_late_one(fleet):
    asks = fleet.coordinator.open(0.0)
    answers = [(m.node, fleet.peers[m.node].handle(m.parts)) for m in asks]
    for node, data in answers[:2]:
        fleet.coordinator.receive(node, data, 0.0)
    fleet.end(60.0)
    fleet.coordinator.open(60.0)
    for node, data in answers:
        fleet.coordinator.receive(node, data, 60.0)
    assert fleet.coordinator.round.late == 1
    assert (fleet.faults["twice"], fleet.faults["round"]) == (2, 1)


def test_a_node_cannot_take_every_number(fleet):
    fleet.coordinator.see(frozenset({*NODES, 666}), 0.0)
    fleet.home.members.clients = 9
    for number in (5, 6, 7):
        fleet.says(666, Holds(bytes([number] * 16), number, None))
    assert sorted(fleet.home.members.by_number) == [0, 1, 2, 5]
    assert fleet.faults["identity"] == 2


def test_one_client_cannot_drown_the_evaluations_of_the_others():
    sane = Evaluation(100, 90, 2**16)
    figures = mean_evaluation([sane] * 9 + [Evaluation(2**32 - 2, 0, 2**31 - 1)])
    assert figures["client_examples"] == 900 + 1_000_000
    assert mean_evaluation([sane] * 3) == {
        "client_examples": 300, "client_loss": 1.0, "client_accuracy": 0.9,
    }  # fmt: skip


def test_an_ask_in_the_servers_name_costs_a_client_nothing(fleet):
    fleet.round()
    holding = fleet.home.members.by_number[1].holding
    asks = fleet.coordinator.open(1.0)
    again = fleet.says(101, Trouble("forged", "not my server", None), 1.0)
    assert [m.node for m in again] == [101]
    assert len(again[0].parts) == 1  # no snapshot
    assert fleet.home.members.by_number[1].holding == holding
    fleet.deliver([*asks, *again], 1.0)
    assert fleet.end(1.0).participants == (0, 1, 2)
