"""What a client lacks: rounds or a state, whichever is cheaper; late joiners are bit-equal."""

import hashlib

import pytest

from baffle.fleet import Costs, Downlink, Member, Pace
from baffle.fleet.room import joined
from baffle.protocol.exchange import Holding, SnapshotHeader, decode_answer, decode_ask
from tests.fleet.world import Home, MemoryStore, client_of, settings_of

DEAR_ROUNDS, CHEAP_ROUNDS = Costs(1e9, 1.0), Costs(1e3, 1e-9)


def ran(folder, rounds, clients=2, joins=None):
    """Run a fleet; `joins` maps a round to what is called before it is opened."""
    home = Home(folder / "run", settings_of(clients=clients + 1, rounds=rounds), Pace(gather=0.0))
    home.peers = {100 + n: client_of(n, MemoryStore()) for n in range(clients)}
    exchange(home, home.coordinator.see(frozenset(home.peers), 0.0))
    while (at := home.coordinator.server.state.round) < rounds:
        if joins and at in joins:
            joins[at](home)
        exchange(home, home.coordinator.open(float(at)))
        home.store(home.coordinator.close(float(at)))
        home.coordinator.commit()
    return home


def exchange(home, messages):
    todo = list(messages)
    while todo:
        out = todo.pop(0)
        answer = home.peers[out.node].handle(out.parts)
        todo += home.coordinator.receive(out.node, answer, 0.0)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = ran(tmp_path_factory.mktemp("downlink"), 12)
    yield home
    home.ledger.close()


@pytest.fixture
def downlink(home):
    return Downlink(home.ledger, home.genesis.initial)


def at(home, round):
    digest = next(home.ledger.rows(round, round)).digest if round else home.genesis.initial
    return Member(0, bytes(16), 100, Holding(round, digest))


def lacking(home, downlink, member, costs):
    server = home.coordinator.server
    return downlink.catch_up(member, server.state, server.digest, costs)


def test_who_is_up_to_date_gets_nothing(home, downlink):
    assert lacking(home, downlink, at(home, 12), CHEAP_ROUNDS).size == 0


def test_the_cheaper_of_rounds_and_state_is_sent(home, downlink):
    few = lacking(home, downlink, at(home, 11), CHEAP_ROUNDS)
    assert (few.snapshot, len(few.tail)) == (None, 1)
    dear = lacking(home, downlink, at(home, 11), DEAR_ROUNDS)
    assert (dear.snapshot.round, dear.tail) == (12, ())
    many = lacking(home, downlink, at(home, 0), CHEAP_ROUNDS)  # 12 rounds are more bytes than that
    assert many.snapshot is not None
    assert many.size < sum(map(len, downlink.rows(0, 12)))


def test_a_client_that_measured_is_reckoned_by_its_own_measure(home, downlink):
    slow = at(home, 11)
    slow.seconds = 100.0
    assert lacking(home, downlink, slow, CHEAP_ROUNDS).snapshot is not None


def test_who_holds_nothing_or_what_is_not_ours_gets_the_state(home, downlink):
    for held in (None, Holding(12, bytes(32)), Holding(40, bytes(32))):
        member = Member(0, bytes(16), 100, held)
        assert lacking(home, downlink, member, CHEAP_ROUNDS).snapshot is not None


def test_states_are_known_by_their_digests(home, downlink):
    assert downlink.knows(Holding(0, home.genesis.initial))
    assert downlink.knows(at(home, 7).holding)
    assert not downlink.knows(Holding(7, bytes(32)))
    assert not downlink.knows(Holding(13, bytes(32)))


def test_rounds_that_were_pruned_cannot_be_sent(tmp_path):
    home = ran(tmp_path, 6)
    server = home.coordinator.server
    before = at(home, 3)
    home.ledger.save(server.state)
    home.ledger.prune(6)
    downlink = Downlink(home.ledger, home.genesis.initial)
    assert not downlink.knows(before.holding)
    assert lacking(home, downlink, before, CHEAP_ROUNDS).snapshot is not None
    home.ledger.close()


@pytest.mark.parametrize("chunks", [(), (b"ab",), (b"ab", b"cd", b""), (b"cd", b"ab"), (b"abcd",)])
def test_chunks_that_the_header_does_not_describe_are_refused(chunks):
    header = SnapshotHeader(0, 4, hashlib.sha256(b"abcd").digest(), 2)
    assert joined(header, (b"ab", b"cd")) == b"abcd"
    with pytest.raises(ValueError, match="chunks"):
        joined(header, chunks)


def late_join(folder, rounds):
    """Let a client join in the middle; return its first answers and what it then holds."""
    found = []

    def join(home):
        home.peers[500] = client_of(2, MemoryStore())
        server = home.coordinator.server
        (greeting,) = home.coordinator.see(frozenset(home.peers), 0.0)
        said = home.peers[500].handle(greeting.parts)
        assert home.coordinator.receive(500, said, 0.0) == []
        asks = home.coordinator.open(0.0)
        (ask,) = [a for a in asks if a.node == 500]
        report = home.peers[500].handle(ask.parts)
        held = home.peers[500]._replica
        found.append((decode_ask(ask.parts[0]), decode_answer(report), held, server))
        assert held.digest == held.state.digest() == server.digest
        exchange(home, [a for a in asks if a.node != 500])
        home.coordinator.receive(500, report, 0.0)
        home.store(home.coordinator.close(0.0))
        home.coordinator.commit()

    home = ran(folder, rounds, joins={rounds // 2: join})
    exchange(home, home.coordinator.farewell())
    assert home.coordinator.left_to_go() == 0
    assert home.coordinator.agreed() == 3
    assert home.coordinator.tally.faults.total() == 0
    home.ledger.close()
    return found[0]


def test_a_late_joiner_is_bit_equal_after_one_exchange(tmp_path):
    ask, answer, held, _ = late_join(tmp_path, 60)
    assert (ask.snapshot.round, ask.tail, held.state.round) == (30, (), 30)
    assert answer.report


@pytest.mark.slow
def test_a_client_that_joins_at_round_1000_of_2000_is_bit_equal(tmp_path):
    assert late_join(tmp_path, 2000)[2].state.round == 1000
