"""A fleet with secure sums in memory: what is sent is counted, and may be lost at a stage."""

from collections import Counter

from baffle.fleet import Pace
from baffle.protocol.exchange import Ask, decode_ask
from baffle.secagg.wire import MASK_ASK, SHARE_ASK, UNMASK_ASK
from tests.fleet.world import Home, MemoryStore, client_of, settings_of

STAGES = {SHARE_ASK: "share", MASK_ASK: "mask", UNMASK_ASK: "unmask"}


class Fleet:
    """Clients at nodes 100, 101, …, all joined; what is sent to them is counted and may be lost.

    Args:
        folder: for the ledger.
        clients: how many.
        sections: settings beside secure sums.
    """

    def __init__(self, folder, clients=5, pace=None, **sections):
        given = {"sums": True, "min_group": 3, "dropout": 0.2} | sections.pop("secure", {})
        settings = settings_of(clients=clients, rounds=6, secure=given, **sections)
        self.home = Home(folder / "run", settings, pace or Pace(gather=0.0, exchange=30.0))
        self.stores = [MemoryStore() for _ in range(clients)]
        self.peers = {100 + n: client_of(n, self.stores[n]) for n in range(clients)}
        self.lost, self.sent, self.answers = set(), Counter(), []
        self.now = 0.0
        self.look()

    @property
    def c(self):
        return self.home.coordinator

    @property
    def faults(self):
        return dict(self.c.tally.faults)

    def look(self, seconds=0.0, online=None):
        self.now += seconds
        there = frozenset(self.peers) if online is None else online
        self.deliver(self.c.see(there, self.now))
        self.deliver(self.c.due(self.now))

    def deliver(self, messages):
        todo = list(messages)
        while todo:
            out = todo.pop(0)
            ask = decode_ask(out.parts[0])
            names = {STAGES[message[0]] for message in ask.sums}
            self.sent["+".join(sorted(names)) or "other"] += 1
            if {(name, ask.client) for name in names} & self.lost:
                continue
            answer = self.peers[out.node].handle(out.parts)
            self.answers.append((out.node, answer, ask))
            todo += self.c.receive(out.node, answer, self.now)

    def open(self):
        assert self.c.ready(self.now)
        self.deliver(self.c.open(self.now))

    def close(self):
        assert self.c.over(self.now)
        closed = self.c.close(self.now)
        self.home.store(closed)
        self.c.commit()
        return closed

    def round(self):
        self.open()
        for _ in range(3):  # deadlines of three stages
            if self.c.over(self.now):
                break
            self.look(61.0)
        closed = self.close()
        self.look(5.0)
        return closed

    def restart_client(self, number):
        self.peers[100 + number] = client_of(number, self.stores[number])


def clear_client(fleet, number):
    peer = fleet.peers[100 + number]
    replica = peer._replica
    return peer._client(Ask(replica.genesis.run, number))[0]


def require_sum(fleet, state, digest, closed):
    """The outcome holds what the participants' reports come to, in Python's integers."""
    plan, groups = closed.plan, fleet.c._groups
    values, weight, loss = Counter(), 0, 0
    for n in closed.participants:
        report = clear_client(fleet, n).measure(plan, state, digest, groups.of(n))
        first = 0 if plan.shared_directions else plan.count * groups.of(n)
        for at, value in enumerate(report.values.tolist()):
            values[first + at] += report.weight * value
        weight, loss = weight + report.weight, loss + report.loss
    found = closed.outcome
    assert found.values.tolist() == [values[i] for i in range(plan.sums)]
    assert (found.weight, found.loss, found.reports) == (weight, loss, len(closed.participants))
