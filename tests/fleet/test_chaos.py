"""Runs in which everything goes wrong; each is a function of its seed. See tests/fleet/chaos."""

import itertools
import os
import weakref
from collections import Counter
from pathlib import Path

import pytest

from baffle.errors import Refused
from baffle.fleet import (
    Coordinator,
    Downlink,
    FleetClient,
    Identity,
    Members,
    Replica,
    SecureCoordinator,
    guard,
)
from baffle.fleet.masking import Masking
from baffle.fleet.secure_round import SecureRound
from baffle.fleet.sent import Sent
from baffle.protocol import Server
from baffle.protocol.exchange import signed
from baffle.protocol.exchange.signed import ENVELOPE_BYTES, SIGNATURE_BYTES
from baffle.secagg import SecureSum
from tests.fleet.chaos import other_run, table
from tests.fleet.chaos.invariant import Broken
from tests.fleet.chaos.node import Disk
from tests.fleet.chaos.simulation import simulate

ROSTER = 7  # of the seeds that are to notice something
SEEDS = Path(__file__).parent / "chaos" / "seeds.txt"
ONCE = [
    tuple(map(int, line.split()[:3]))
    for line in SEEDS.read_text().splitlines()
    if line and not line.startswith("#")
]


def run(seed, rounds, clients, secure=False):
    try:
        return simulate(seed, rounds, clients, secure)
    except Exception as problem:
        shape = f"--first {seed} --seeds 1 --rounds {rounds} --clients {clients}"
        shape += " --secure" if secure else ""
        problem.add_note(f"repeat it with: .venv/bin/python -m tests.fleet.chaos {shape}")
        raise


def slow(value):
    """Mark one value of a parameter."""
    return pytest.param(value, marks=pytest.mark.slow)


@pytest.mark.parametrize("first", [0, slow(7), slow(14), slow(21)])
def test_every_run_ends_with_the_replayed_digest_and_the_sum_of_honest_reports(first):
    for seed in range(first, first + 7):
        run(seed, 40, 6 + seed % 3)


@pytest.mark.parametrize(("seed", "rounds", "clients"), ONCE)
def test_seeds_that_once_failed(seed, rounds, clients):
    run(seed, rounds, clients)


def test_a_seed_is_a_run():
    assert simulate(5, 15, 5) == simulate(5, 15, 5)


@pytest.mark.slow
def test_every_fault_and_every_refusal_happens():
    counts = Counter()
    for seed in range(int(os.environ.get("CHAOS_SEEDS", "60"))):
        counts += run(seed, 60, 8)
    assert table.missing(counts) == []


PROCESSES, FORGETFUL = itertools.count(), weakref.WeakSet()


def again(self, report, data, honest=Server._admit):
    """Admit a report however often it comes."""
    try:
        honest(self, report, data)
    except Refused as no:
        if no.reason != "twice":
            raise


def by_whoever(self, ask, plan, honest=FleetClient._report):
    """Answer by another secret after each start of the process."""
    secret = next(PROCESSES).to_bytes(32, "little")
    if self not in FORGETFUL:
        FORGETFUL.add(self)
        self.identity = Identity(lambda genesis: secret, self.identity.claim)
    return honest(self, ask, plan)


def all_new(self, node, holds, online, honest=Members.greet):
    """Know nobody's tag again."""
    known = self._by_tag.pop(holds.tag, None)
    if known is not None:
        self.by_number.pop(known.number)
    return honest(self, node, holds, online)


def another_number(self, node, holds, honest=Members._new):
    """Give a node a number whether or not it was given one."""
    self._given.clear()
    return honest(self, node, holds)


def unverified(data, node):
    """Open an ask without a look at its signature."""
    return data[ENVELOPE_BYTES:], data[SIGNATURE_BYTES:ENVELOPE_BYTES]


def to_anybody(ask, node, honest=signed._signed):
    """Sign an ask without its receiver."""
    return honest(ask, 0)


BREAKS = {
    "a report's seal is not looked at": (Coordinator, "_require_seal", lambda *_: None),
    "nobody is known again": (Members, "greet", all_new),
    "a node is given two numbers": (Members, "_new", another_number),
    "a copy's digest is taken on trust": (Replica, "hashed", lambda self: self),
    "rounds that were missed are left out": (Downlink, "rows", lambda *_: ()),
    "a client forgets who it is": (FleetClient, "_report", by_whoever),
    "a report is summed again": (Server, "_admit", again),
    "an ask's signature is not looked at": (guard, "open_ask", unverified),
    "an ask is not signed for its receiver": (signed, "_signed", to_anybody),
    "every key is the server's": (signed.Pin, "require", lambda *_: None),
    "the first key is not kept": (Disk, "keep_key", lambda *_: None),
}


# It takes many histories until these go wrong.
RARE = ("a copy's digest is taken on trust", "a client forgets who it is")


@pytest.mark.parametrize("name", [slow(name) if name in RARE else name for name in BREAKS])
def test_the_chaos_notices_when(name, monkeypatch):
    other_run.messages(ROSTER)  # of another run, which nothing is wrong with
    monkeypatch.setattr(*BREAKS[name])
    with pytest.raises(Broken):
        some_seeds()


def some_seeds():
    for seed in [22, *range(40)]:
        simulate(seed, 40, ROSTER)


# --- with secure sums


@pytest.mark.parametrize("first", [0, slow(6), slow(12), slow(18)])
def test_every_run_of_secure_sums_holds_the_sums_of_what_was_masked_and_opens_no_more(first):
    for seed in range(first, first + 6):
        run(seed, 15, 6 + seed % 3, secure=True)


@pytest.mark.slow
def test_every_refusal_of_secure_sums_happens():
    counts = Counter()
    for seed in range(int(os.environ.get("CHAOS_SEEDS", "60"))):
        counts += run(seed, 40, 8, secure=True)
    assert table.missing_of_secure(counts) == []


def unasked(self, number, tag, answer):
    """Take whatever answer comes."""


def in_the_dark(self, plan, ask, contribute, honest=Masking.masked):
    """Mask another vector than the one that is contributed."""

    def other(*args):
        return contribute(*args) + 1

    return honest(self, plan, ask, other)


def off_by_one(self, *args, honest=SecureRound.advance):
    """Count one too many in a sum's first number."""
    honest(self, *args)
    for found in self.results.values():
        if isinstance(found, SecureSum) and not self.stage.asks:
            found.values[0] += 1


def doubled(self, honest=SecureCoordinator._collect):
    """Give the server each sum twice."""
    honest(self)
    for collector in self.server._collectors:
        collector.add(collector.total())


SECURE_BREAKS = {
    "an answer's seal is not looked at": (Sent, "require_answer", unasked),
    "another vector is masked": (Masking, "masked", in_the_dark),
    "a sum is off by one": (SecureRound, "advance", off_by_one),
    "a sum is taken twice": (SecureCoordinator, "_collect", doubled),
}


@pytest.mark.parametrize("name", SECURE_BREAKS)
def test_the_chaos_of_secure_sums_notices_when(name, monkeypatch):
    monkeypatch.setattr(*SECURE_BREAKS[name])
    with pytest.raises(Broken):
        some_secure_seeds()


def some_secure_seeds():
    for seed in range(20):
        simulate(seed, 15, ROSTER, secure=True)
