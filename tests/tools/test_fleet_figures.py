"""A fleet's figures: what they are counted and measured with, and that the page shows them."""

import json
import subprocess
import sys
from contextlib import suppress

import pytest

from baffle.fleet import FolderStore, Outgoing
from baffle.ledger import Ledger
from baffle.ledger.replay import replay
from baffle.protocol.exchange import Ask, encode_ask
from baffle.protocol.exchange.signed import ENVELOPE_BYTES
from tools import performance
from tools.fleet.figures import late_join, memory, page
from tools.fleet.figures.bytes import MOST_DOWN, MOST_UP, Counter, count
from tools.fleet.figures.late_join import Case, Joining, play
from tools.fleet.figures.subjects import LENET5, LINEAR, MLP
from tools.fleet.figures.writing import figures


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """The rows of a short run that a client joins halfway, and its folder."""
    folder = tmp_path_factory.mktemp("join")
    return play(Case(MLP, 64, rounds=60, join=30, absences=(1, 20)), folder), folder


def test_a_steady_round_stays_within_its_bytes(tmp_path):
    row = count(MLP, 3, tmp_path, rounds=5)
    assert row["messages"] == 3 * 4
    assert row["most_down"] <= row["bound_down"] <= MOST_DOWN
    assert row["most_up"] == row["up"]["whole"] + row["evaluation"] <= MOST_UP
    assert row["up"]["values"] == 2 * row["directions"]


def test_what_is_no_steady_round_is_not_counted():
    counter = Counter()
    for ask in (Ask(bytes(16), 0, genesis=b"{}"), Ask(bytes(16), 0, plan=b"plan")):
        counter(Outgoing(1, (bytes(ENVELOPE_BYTES) + encode_ask(ask),)), b"")
    assert not counter.down
    assert not counter.up


def test_who_joins_halfway_is_equal_after_one_exchange(joined):
    rows, folder = joined
    assert rows[-1]["exchanges"] == 1
    with Ledger.open(folder / "run") as ledger:
        end = replay(ledger).state
    assert end.round == 60
    found = FolderStore(folder / "new").load(_run(folder))
    assert found is not None
    assert found[0].state.digest() == end.digest()


def _run(folder):
    (run,) = (f.name for f in (folder / "new").iterdir() if f.is_dir())
    return bytes.fromhex(run)


def test_both_ways_are_measured_for_everyone_who_comes(joined):
    rows, _ = joined
    assert [row["away"] for row in rows] == [1, 20, None]
    for row in rows:
        for way in row["ways"].values():
            assert way["total"] > way["wire"] == pytest.approx(way["bytes"] * 1e-6)
    one, _, never = rows
    assert one["ways"]["rounds"]["bytes"] < MOST_DOWN < one["ways"]["snapshot"]["bytes"]
    assert (one["chosen"], never["chosen"]) == ("rounds", "snapshot")


def test_a_newcomer_that_is_not_equal_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(Joining, "holds", lambda self, name: name != "new")
    with pytest.raises(late_join.NotEqual, match="expected one exchange"):
        play(Case(MLP, 16, rounds=6, join=3, absences=()), tmp_path)


def test_subjects_are_as_large_as_they_say():
    assert [s.parameters for s in (MLP, LENET5, LINEAR)] == [4810, 61706, 10_001_406]


def test_memory_is_that_of_a_living_process():
    assert memory.pss_mib() > 10
    with subprocess.Popen([sys.executable, "-c", ""]) as done:
        done.wait()
    assert memory.pss_mib(done.pid) == 0.0


def test_figures_are_written_only_when_all_came(tmp_path):
    file = tmp_path / "some.json"
    with suppress(KeyError), figures(file) as rows:
        rows.append({"a": 1})
        raise KeyError
    assert not file.exists()
    with figures(file) as rows:
        rows.append({"a": 1})
    found = json.loads(file.read_text())
    assert (found["rows"], found["complete"]) == ([{"a": 1}], True)


def test_the_page_is_what_the_figures_are():
    assert page.main(check=True) == 0
    text = page.PAGE.read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->" in text for name in page.TABLES)


def test_a_changed_figure_is_noticed(tmp_path, monkeypatch):
    value = json.loads((performance.FIGURES / "fleet_bytes.json").read_text(encoding="utf-8"))
    value["rows"][0]["down"]["plan"] += 1
    for file in {file for file, _ in page.TABLES.values()}:
        (tmp_path / f"{file}.json").write_bytes((performance.FIGURES / f"{file}.json").read_bytes())
    (tmp_path / "fleet_bytes.json").write_text(json.dumps(value))
    monkeypatch.setattr(performance, "FIGURES", tmp_path)
    assert page.main(check=True) == 1
