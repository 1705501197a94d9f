"""Runs in which everything goes wrong; each is a function of its seed. See tests/fleet/chaos."""

import os
from collections import Counter
from pathlib import Path

import pytest

from baffle.errors import Refused
from baffle.fleet import Coordinator, Downlink, FleetClient, Identity, Members, Replica
from baffle.protocol import Server
from tests.fleet.chaos import table
from tests.fleet.chaos.simulation import simulate

SEEDS = Path(__file__).parent / "chaos" / "seeds.txt"
ONCE = [
    tuple(map(int, line.split()[:3]))
    for line in SEEDS.read_text().splitlines()
    if line and not line.startswith("#")
]


def run(seed, rounds, clients):
    try:
        return simulate(seed, rounds, clients)
    except Exception as problem:
        shape = f"--first {seed} --seeds 1 --rounds {rounds} --clients {clients}"
        problem.add_note(f"repeat it with: .venv/bin/python -m tests.fleet.chaos {shape}")
        raise


@pytest.mark.parametrize("first", range(0, 28, 7))
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


def again(self, report, data):
    """Admit a report of this round whoever sent it and however often."""
    if report.round != self.plan.round:
        raise Refused("round", "late")
    self._seen.pop(report.client, None)


def by_whoever(self, ask, plan, honest=FleetClient._report):
    """Answer by another secret after each start of the process."""
    secret = (id(self) % 2**64).to_bytes(8, "little") * 4
    self.identity = Identity(lambda genesis: secret, self.identity.claim)
    return honest(self, ask, plan)


def all_new(self, node, holds, online):
    """Give every node that greets a number of its own."""
    return self._new(node, holds)


BREAKS = {
    "a report's seal is not looked at": (Coordinator, "_require_seal", lambda *_: None),
    "nobody is known again": (Members, "greet", all_new),
    "a copy's digest is taken on trust": (Replica, "hashed", lambda self: self),
    "rounds that were missed are left out": (Downlink, "rows", lambda *_: ()),
    "a client forgets who it is": (FleetClient, "_report", by_whoever),
    "a report is summed again": (Server, "_admit", again),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_chaos_notices_when(name, monkeypatch):
    monkeypatch.setattr(*BREAKS[name])
    with pytest.raises((AssertionError, KeyError)):
        some_seeds()


def some_seeds():
    for seed in [22, *range(12)]:
        simulate(seed, 40, 7)
