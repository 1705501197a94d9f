"""What must hold all along, and at a run's calm end."""

from baffle.ledger import Ledger
from baffle.ledger.replay import replay
from baffle.protocol.exchange import Holding, Trouble
from tests.fleet.chaos.invariant import require
from tests.fleet.chaos.node import Node
from tests.fleet.chaos.signing import answer_of


def bounded(world, c):
    """Nothing in the server grows with time."""
    require(len(c.tally.events) <= 50 * len(world.nodes), "events are not drained")
    require(c._greetings._at.keys() <= c.online, "nodes that are gone are remembered")
    require(c._greetings._twice <= c.online, "nodes that are gone are remembered")
    pause, now = c.pace.grace, world.agenda.now
    require(all(now - at < pause for at in c._away.values()), "nodes count as gone too late")
    require(len(c.downlink._rows) <= 64, "rounds pile up in memory")
    require(len(c.members.by_number) <= world.scenario.roster, "more clients than numbers")
    require(len(c.members._by_node) <= len(c.members.by_number), "more nodes than clients")
    for node, member in c.members._by_node.items():
        require(member.node == node, "node and client point elsewhere")
    for member in c.members.by_number.values():
        require(member.node is None or c.members.of(member.node) is member, "a lost node")


def check_end(world):
    home, truth = world.home, world.truth
    server = home.coordinator.server
    require(truth.rounds == world.scenario.rounds, "not all rounds are stored")
    require(server.digest == truth.digests[-1], "the server's digest is not the rebuilt one")
    last = Holding(server.state.round, server.digest)
    there = {m.tag for m in home.coordinator.present}
    for node in world.nodes:
        if node.tag in there:
            require(
                node.replica and node.replica.holding == last
                and node.replica.state.digest() == last.digest,
                f"node {node.index} does not hold the final state",
            )  # fmt: skip
    require(home.coordinator.agreed() == len(there), "the server does not know who has it")
    require(len(there) == min(len(world.nodes), world.scenario.roster), "someone is not there")
    _late_joiner(world, last)
    home.die()
    for reason, n in home.faults.items():
        world.count(f"fault.{reason}", n)
    _check_ledger(world, last.digest)


def _late_joiner(world, last):
    """A client that never took part is bit-equal after one ask."""
    c = world.home.coordinator
    if len(c.members.by_number) == world.scenario.roster:
        return
    fresh = Node(world, 200, None)
    fresh.online = True
    world.nodes.append(fresh)
    (greeting,) = c.see(world.online, world.agenda.now)
    found = fresh.take(world.signed(greeting))
    (ask,) = c.receive(fresh.address, found, world.agenda.now)
    require(ask.node == fresh.address, "the farewell of a late joiner goes elsewhere")
    parts = world.signed(ask)
    answer = answer_of(fresh, parts, fresh.take(parts))
    require(not isinstance(answer, Trouble), "a late joiner is in trouble")
    require(fresh.replica.holding == last, "a late joiner is not bit-equal after one ask")
    world.count("truth.late_joiner")


def _check_ledger(world, digest):
    with Ledger.open(world.home.folder) as ledger:
        ledger.verify()
        require(replay(ledger).state.digest() == digest, "replay gives another digest")
        stored = list(ledger.rows())
    require(stored == world.truth.rows[-len(stored) :], "stored rounds are not those written")
