"""One run: a seed's faults, then a calm end, and what must hold all along and afterwards."""

import logging
import random
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

from baffle.drivers.build import genesis
from baffle.protocol import Rules
from baffle.protocol.exchange import Reported, client_tag
from tests.fleet.chaos.agenda import Agenda
from tests.fleet.chaos.ending import check_end
from tests.fleet.chaos.forger import Forger
from tests.fleet.chaos.gremlins import Gremlins
from tests.fleet.chaos.home import Home
from tests.fleet.chaos.invariant import require
from tests.fleet.chaos.liar import Liar
from tests.fleet.chaos.network import LATEST, Network
from tests.fleet.chaos.node import Killed, Node
from tests.fleet.chaos.scenario import draw
from tests.fleet.chaos.secure import SecureTruth, sections
from tests.fleet.chaos.shortcuts import shortcuts
from tests.fleet.chaos.signing import Signing, answer_of, ask_of
from tests.fleet.chaos.truth import Truth
from tests.fleet.world import SIGNATURE, first_state, settings_of

TICK = 0.5
SETTLE = 20.0
PATIENCE = 300.0  # virtual seconds a round, before a run counts as stuck


class Simulation:
    """A fleet in which everything goes wrong.

    Args:
        seed: of everything that happens.
        rounds, roster: of the run.
        folder: for the ledger.
        secure: whether reports go into secure sums, of one group or several.
    """

    def __init__(self, seed, rounds, roster, folder, secure=False):
        self.rng = random.Random(seed)
        self.scenario = s = draw(self.rng, seed, rounds, roster, secure)
        self.counts, self.agenda = Counter(), Agenda()
        self.settings = settings_of(
            clients=roster, rounds=rounds, key=seed + 1,
            federation={"clients": roster, "min_reports": s.min_reports},
            **(sections(seed) if secure else {}),
        )  # fmt: skip
        start = first_state(self.settings)
        self.genesis = genesis(self.settings, SIGNATURE, start.digest())
        self.rules = Rules.of(self.genesis)
        self.truth = SecureTruth(self, start) if secure else Truth(self, start)
        self.signing = Signing(seed)
        self.network, self.forger, self.liar = Network(self), Forger(self), Liar(self)
        self.nodes = [
            Node(self, n, n if s.claims else None, self.rng.random() < s.pinned)
            for n in range(s.nodes)
        ]
        self.home = Home(self, Path(folder) / "run", start)
        self.gremlins = Gremlins(self)
        self.calm, self.rest_until = False, 0.0
        self._elapsed, self._ending = 0.0, 0

    # --- chance, time and counters

    def count(self, name, n=1):
        self.counts[name] += n

    def happens(self, kind, name=None):
        """Draw whether a fault strikes; count it."""
        odds = 0.0 if self.calm else self.scenario.odds[kind]
        struck = odds > 0 and self.rng.random() < odds
        if struck and name:
            self.count(name)
        return struck

    def stopwatch(self):
        """What clients measure by: a round takes them up to a millisecond or so."""
        self._elapsed += self.rng.random() * 1e-3
        return self._elapsed

    @property
    def online(self):
        return frozenset(n.address for n in self.nodes if n.online)

    def may_open(self):
        """At the end the server waits until what was under way has come, for the last rounds."""
        last = self.home.coordinator.server.state.round >= self.scenario.rounds - 3
        return not (self.calm and last and self.agenda.now < self.rest_until)

    # --- messages

    def arrives_at_node(self, message):
        node = next((n for n in self.nodes if n.address == message.node and n.online), None)
        if node is None:
            return self.count("network.nobody_there")
        answer = node.take(message.parts)
        if answer is None:
            return None
        ask, found = ask_of(message.parts), answer_of(node, message.parts, answer)
        ours = ask is not None and ask.run == self.genesis.run
        self.forger.overhear(
            node.address, answer, ask.plan if ours and isinstance(found, Reported) else None
        )
        slow = self.rng.random() < 0.05 and not self.calm
        think = self.rng.uniform(3.0, 30.0) if slow else self.rng.uniform(0.0, 0.3)
        self.agenda.at(think, self._send_up, node.address, answer)
        return None

    def _send_up(self, address, answer):
        self.network.up(address, answer)

    def arrives_at_home(self, message):
        home = self.home
        if not home.up:
            return self.count("network.server_away")
        before, reported = self._faults(), self._reported()
        self.to_home(message.node, message.parts[0])
        if home.up:
            self._must_count(message, before, reported)
        return None

    def _must_count(self, message, before, reported):
        """Each message is of use or counted once, never both for a report; a changed one never."""
        new = self._faults() - before
        gained = self._reported() - reported
        require(0 <= new <= 1, f"one message was counted as {new} faults")
        # A client may answer one half of a message of secure sums, and refuse the other.
        halves = self.scenario.secure
        require(halves or not (new and gained), "a message was refused and summed")
        if not message.whole:
            require(new == 1, "a message that was changed on its way was taken")
            self.count("refused.changed_on_its_way")

    def _faults(self):
        return sum(self.home.coordinator.tally.faults.values())

    def _reported(self):
        open_ = self.home.coordinator.round
        return set(open_.reported) if open_ else set()

    def to_home(self, node, data):
        self._served(lambda: self.home.receive(node, data))

    def _served(self, step):
        """Let the server take a step and send what comes of it; it may die of it."""
        try:
            out = step()
        except Killed:
            return self.kill_home()
        for message in out:
            parts = self.signed(message)
            self.liar.overhear(message.node, parts)
            self.network.down(message.node, parts)
        return None

    def signed(self, message):
        """Return what the server sends for a message of its coordinator's."""
        return self.signing.sign(message.node, message.parts, self.home.key)

    def notice(self, node):
        """Let the operator of a client that trusts a stranger see to it, after a while."""
        self.count("node.taken_in")
        self.agenda.at(1.0 if self.calm else self.rng.uniform(1.0, 60.0), node.pin)

    def kill_home(self):
        self.home.die()
        self.agenda.at(self.rng.uniform(0.0, 10.0), self._start_home)

    def _start_home(self):
        if not self.home.up:
            self.count("server.started")
            self.home.start()

    # --- the run

    def run(self):
        """Run all rounds, come to rest, and check what must hold at the end."""
        self._start_home()
        self.agenda.at(0.0, self._tick)
        self.agenda.at(0.0, self.gremlins.second)
        while not self._at_rest():
            require(
                self.agenda.now < PATIENCE * (self.scenario.rounds + 10),
                f"stuck in round {self.truth.rounds} at {self.agenda.now:.0f} s",
            )
            self.agenda.step()
        check_end(self)
        return self.counts

    def _tick(self):
        self.agenda.at(TICK * self.rng.uniform(0.5, 1.5), self._tick)
        if not self.calm and self.truth.rounds >= self.scenario.rounds - self.scenario.calm:
            self._ending += 1
            if self.scenario.calm or self._ending > 40:  # ticks: faults at the farewell, too
                self._become_calm()
        if self.home.up:
            self._served(lambda: self.home.tick(self.online))
        if self.home.up and self.home.done:
            self._see_off()

    def _become_calm(self):
        """Let operators set everything right."""
        self.calm, self.rest_until = True, self.agenda.now + 2 * LATEST + SETTLE
        self.agenda.at(2 * LATEST, self._tidy_roster)  # of late greetings, too
        self.home.full_until = -1.0
        for node in self.nodes:
            node.recover()
        self._tidy_roster()

    def _tidy_roster(self):
        """Start the server without the rows of clients that nobody is any more."""
        if self.home.up:
            self.home.die()
        ours = {client_tag(n.own_secret, self.genesis.run) for n in self.nodes}
        self.home.keep_only(ours)
        if not self.home.up:
            self._start_home()

    def _see_off(self):
        c = self.home.coordinator
        rested = not self.calm or self.agenda.now >= self.rest_until
        if (
            rested
            and c.round is None
            and (c._farewell is None or (c.left_to_go() and self._every(20.0)))
        ):
            self._served(c.farewell)

    def _every(self, seconds):
        due = self.agenda.now - getattr(self, "_did", -1e9) >= seconds
        if due:
            self._did = self.agenda.now
        return due

    def _at_rest(self):
        c = self.home.coordinator
        over = self.calm and self.home.up and self.home.done and c._farewell is not None
        crowd = max(0, len(self.nodes) - self.scenario.roster)  # for whom there is no number
        return over and c.left_to_go() == crowd and not self.network.under_way


@contextmanager
def silent():
    """Keep clients from logging each failure that is meant to happen."""
    with ExitStack() as stack:
        for name in ("client", "masking"):
            logger = logging.getLogger(f"baffle.fleet.{name}")
            stack.enter_context(patch.object(logger, "disabled", True))
        yield


def simulate(seed, rounds, roster, secure=False):
    """Run a seed and return its counters."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        simulation = Simulation(seed, rounds, roster, folder, secure)
        try:
            with silent(), nullcontext() if seed % 10 == 0 else shortcuts():
                return simulation.run()
        finally:
            if simulation.home.up:
                simulation.home.ledger.close()
