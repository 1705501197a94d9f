"""The server's process on its disk: ledger and roster stay when it dies, all else is gone."""

from baffle.config import groups_of
from baffle.drivers.build import policy
from baffle.errors import LedgerFull
from baffle.fleet import Downlink, Members, coordinator_of
from baffle.ledger import Ledger, Row
from baffle.ledger.replay import replay
from baffle.protocol import Rules, Server
from baffle.protocol.participants import encode_participants
from tests.fleet.chaos.ending import bounded
from tests.fleet.chaos.invariant import require
from tests.fleet.chaos.node import Killed
from tests.fleet.world import SIGNATURE


class Home:
    """The machine of the server.

    Args:
        world: the simulation.
        folder: of the run.
        start: state before round 0.
    """

    def __init__(self, world, folder, start):
        self.world, self.folder = world, folder
        self.roster = Members(world.scenario.roster).to_json()
        ledger = Ledger.create(folder, world.genesis.to_bytes())
        ledger.save(start)
        ledger.close()
        self.key = world.signing.server  # on its disk
        self.coordinator = self._closed = None
        self.full_until = -1.0
        self.faults = {}

    @property
    def up(self):
        return self.coordinator is not None

    # --- the process

    def start(self):
        world, s = self.world, self.world.scenario
        self.ledger = Ledger.open(self.folder, write=True)
        at = replay(self.ledger)
        require(self.ledger.last_round == world.truth.rounds, "an acknowledged round is lost")
        require(at.state.digest() == world.truth.digests[-1], "resumed with another digest")
        server = Server(
            world.genesis.run, Rules.of(world.genesis), policy(world.settings, SIGNATURE),
            at.state, s.roster, s.min_reports, at.last, sums_only=s.secure,
        )  # fmt: skip
        members = Members.from_json(self.roster, s.roster)
        downlink = Downlink(self.ledger, world.genesis.initial)
        dealt = (lambda n: groups_of(world.settings, n)) if s.secure else None
        self.coordinator = coordinator_of(
            world.genesis, server, members, downlink, s.pace, s.cohort, dealt, rounds=s.rounds
        )
        self.coordinator.asking.rebuild_seconds = 0.001
        self._closed = None

    def die(self):
        self._sum_up()
        self.ledger.close()
        self.coordinator = self._closed = None

    def _sum_up(self):
        for reason, n in self.coordinator.tally.faults.items():
            self.faults[reason] = self.faults.get(reason, 0) + n

    def _may_die(self, where):
        if self.world.happens(where, f"server.{where}"):
            raise Killed(where)

    # --- its steps

    def tick(self, online):
        """Look around and do what is due; returns what to send."""
        c, now = self.coordinator, self.world.agenda.now
        self._may_die("kill_at_tick")
        out = [*c.see(online, now), *c.due(now)]
        self._may_die("kill_before_keeping")
        self.keep_roster()
        if self._closed is not None:
            return [*out, *self._store()]
        if c.round is None:
            ready = not self.done and self.world.may_open() and c.ready(now)
            return [*out, *(c.open(now) if ready else [])]
        return [*out, *(self._close(now) if c.over(now) else [])]

    def keep_roster(self):
        c = self.coordinator
        if any(event.name == "joined" for event in c.tally.drain()):
            self.roster = c.members.to_json()

    @property
    def done(self):
        return self.coordinator.server.state.round >= self.world.scenario.rounds

    def _close(self, now):
        self.world.count(f"round.{self.coordinator.over(now)}")
        self._closed = self.coordinator.close(now)
        self._may_die("kill_before_append")
        return self._store()

    def _store(self):
        """Store the closed round, if the disk takes it; only then is it acknowledged."""
        c, closed, world = self.coordinator, self._closed, self.world
        if world.happens("disk_full", "server.disk_full"):
            self.full_until = world.agenda.now + world.rng.uniform(0.5, 5.0)
        participants = encode_participants(closed.participants)
        row = Row(
            closed.state.round, closed.plan_bytes, closed.outcome_bytes, participants, closed.digest
        )  # fmt: skip
        try:
            self._append(row)
        except LedgerFull:
            require(self.ledger.last_round == world.truth.rounds, "a round is stored, and refused")
            return []
        tags = {n: m.tag for n, m in c.members.by_number.items()}
        charged = c.charged if world.scenario.secure else set()
        world.truth.stored(row, tags, c.round.reported, c._groups, charged)
        began = c.sums.began if world.scenario.secure else c.round.opened
        quiet = world.calm and began >= world.rest_until
        require(not quiet or not c.round.lost, "clients are lost in a calm round", c.round.lost)
        require(not quiet or c.round.over(c.round.opened), "a calm round meets its deadline")
        world.count("round.abandoned" if closed.outcome.abandoned else "round.summed")
        self._may_die("kill_after_append")
        c.commit()
        self._closed = None
        self._may_die("kill_after_commit")
        self._look_after_disk()
        bounded(world, c)
        return []

    def _append(self, row):
        if self.world.agenda.now < self.full_until:
            self.world.count("server.full_disk_refused")
            raise LedgerFull("the disk is full")
        self.ledger.append(row)

    def _look_after_disk(self):
        state, happens = self.coordinator.server.state, self.world.happens
        prune = happens("prune", "server.prune")
        if prune or happens("snapshot", "server.snapshot"):
            self.ledger.save(state)
        if prune:
            self.ledger.prune(state.round)

    def receive(self, node, data):
        self._may_die("kill_at_receive")
        return self.coordinator.receive(node, data, self.world.agenda.now)

    def keep_only(self, tags):
        """Take the rows of all other clients out of members.json, as an operator would."""
        found = Members.from_json(self.roster, self.world.scenario.roster)
        rows = [(n, m.tag, m.first) for n, m in found.by_number.items() if m.tag in tags]
        self.roster = Members(self.world.scenario.roster, rows).to_json()
