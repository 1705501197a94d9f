"""A whole fleet through a power cut: all lose it at once, and go on to the same digests."""

from __future__ import annotations

import random

import pytest

from baffle.drivers.local.metrics import MetricsLog, read_metrics
from baffle.ledger import Ledger
from tests.drivers.fleet.loopback import CLIENTS, CONFIG, Loopback, opened, served
from tests.powercut import Disk, hasty  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("hasty")

LEDGER = ("run/ledger.db*", "run/lock")  # SQLite syncs by itself; tests/ledger/ cuts it
TRIED = 40


@pytest.mark.slow
def test_a_fleet_goes_on_to_the_same_digests(tmp_path):
    (tmp_path / "life").mkdir()
    with Disk(tmp_path / "life", LEDGER) as disk:
        run = opened(tmp_path / "life")
        append = run.ledger.append

        def stored(row):
            append(row)
            disk.say(row.round)

        run.ledger.append = stored
        done, told = served(run, Loopback(tmp_path / "life"))
    digests = [row["digest"] for row in told.rows]
    assert (done, len(digests)) == (True, CONFIG["rounds"])
    cuts = [cut for cut in disk.cuts() if "run/ledger.db" in cut.files]
    begun = set()
    for number, cut in enumerate(random.Random(1).sample(cuts, TRIED)):
        folder = cut.restore(tmp_path / "left" / str(number))
        begun.add(goes_on(folder, cut, digests))
    assert len(begun) > 3


def goes_on(folder, cut, digests):
    """Start server and clients again; returns the round that the ledger stood at."""
    run = opened(folder)
    stands = run.coordinator.server.state.round
    assert stands >= max(cut.said, default=0), cut.how
    network = Loopback(folder)
    done, _ = served(run, network)
    assert done, cut.how
    with Ledger.open(folder / "run") as ledger:
        ledger.verify()
        assert [row.digest.hex() for row in ledger.rows()] == digests, cut.how
    held = {client._replica.hashed().digest.hex() for client in network.clients.values()}
    assert held == {digests[-1]}, cut.how
    assert [row["digest"] for row in read_metrics(folder / "run")] == digests, cut.how
    assert {row["reports"] for row in read_metrics(folder / "run")} == {CLIENTS}, cut.how
    return stands


def test_figures_lose_rounds_from_their_end(tmp_path):
    rows = [{"round": number, "loss": number / 3, "text": "x" * 90} for number in range(1, 6)]
    (tmp_path / "life").mkdir()
    with Disk(tmp_path / "life") as disk:
        log = MetricsLog(tmp_path / "life")
        for row in rows[:3]:
            log.add(row)
        log = MetricsLog(tmp_path / "life", 3)
        disk.say("opened")
        for row in rows[3:]:
            log.add(row)
    kept = set()
    for number, cut in enumerate(disk.cuts()):
        again = MetricsLog(cut.restore(tmp_path / "left" / str(number)), 5)
        assert again.rows == rows[: len(again.rows)], cut.how
        assert len(again.rows) >= (3 if cut.said else 0), cut.how
        kept.add(len(again.rows))
    assert {0, 1, 3, 4, 5} <= kept
