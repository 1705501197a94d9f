"""A run followed by its files alone: as it grows, is cut, resumed, or ends."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from baffle.drivers.local.metrics import MetricsLog, Row
from baffle.report.fleet import read_fleet
from baffle.report.outside import Outside
from baffle.report.screen import screen, sparkline
from baffle.report.tail import Tail
from tests.report.conftest import MakeRun, abandoned, make_row, make_rows, rebuilt
from tests.report.helpers import screen as shown


def append(folder: Path, text: str) -> None:
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(text)


def line(row: Row) -> str:
    return json.dumps(row) + "\n"


def rounds(rows: list[Row]) -> list[int]:
    return [row["round"] for row in rows]


def looked(folder: Path, after: float = 1.0) -> Outside:
    """Return a run, seen so many seconds after its last row."""
    run = Outside(folder)
    file = folder / "metrics.jsonl"
    run.look(now=file.stat().st_mtime + after if file.exists() else 0.0)
    return run


def test_a_row_is_read_once_and_a_cut_one_when_it_is_whole(make_run: MakeRun) -> None:
    folder = make_run("run", make_rows(3))
    tail = Tail(folder)
    assert rounds(tail.read()[1]) == [1, 2, 3]
    assert tail.read() == (False, [])
    text = line(make_row(4, 4))
    append(folder, text[:50])
    assert tail.read() == (False, [])
    append(folder, text[50:])
    assert rounds(tail.read()[1]) == [4]


def test_a_run_that_has_not_begun_and_begins(make_run: MakeRun, tmp_path: Path) -> None:
    run = Outside(tmp_path / "run")
    run.look(now=0.0)
    assert (run.status, run.round, run.rounds) == ("waiting", 0, None)
    assert "no such folder yet" in shown(screen(run))
    folder = make_run("run", [], rounds=10)
    run.look(now=0.0)
    assert (run.status, run.rounds) == ("waiting", 10)
    assert "before its first round" in shown(screen(run))
    append(folder, line(make_row(1, 10)))
    run.look(now=(folder / "metrics.jsonl").stat().st_mtime)
    assert (run.status, run.round) == ("running", 1)


def test_a_resume_writes_the_file_anew(make_run: MakeRun) -> None:
    folder = make_run("run", make_rows(6), cut='{"round": 7, "l', rounds=9)
    run = looked(folder)
    assert (run.round, run.sums["reports"]) == (6, 24)
    MetricsLog(folder, upto=4).add(make_row(5, 9))
    run.look(now=run.now)
    assert (run.round, run.sums["reports"]) == (5, 20)


@pytest.mark.parametrize("kept", [0, 2])
def test_a_file_that_is_cut_in_place(make_run: MakeRun, kept: int) -> None:
    folder = make_run("run", make_rows(6), rounds=9)
    run = looked(folder)
    with (folder / "metrics.jsonl").open("r+b") as file:
        file.truncate(sum(len(line(row)) for row in make_rows(6)[:kept]))
    run.look(now=run.now)
    assert (run.round, run.sums["reports"]) == (kept, 4 * kept)
    (folder / "metrics.jsonl").unlink()
    run.look(now=run.now)
    assert run.status == "waiting"


@pytest.mark.parametrize(
    "junk", ["not json", "[1, 2]", '{"loss": 1}', '{"round": "2"}', "[" * 100_000, "\x00\x00", ""]
)
def test_a_line_that_is_no_row_is_left_out(make_run: MakeRun, junk: str) -> None:
    folder = make_run("run", make_rows(1), cut=f"{junk}\n{line(make_row(2, 2))}")
    assert rounds(Tail(folder).read()[1]) == [1, 2]


def test_sums_last_known_figures_and_pace(make_run: MakeRun) -> None:
    rows = make_rows(30)[:23]
    rows[21] = abandoned(rows[21])
    rows[22] = rebuilt(rows[22])
    run = looked(make_run("run", rows, rounds=30))
    assert (run.status, run.round, run.rounds) == ("running", 23, 30)
    assert run.sums["abandoned"] == 1
    assert run.sums["asked"] == 22 * 5
    assert run.sums["reports"] == 21 * 4 + 4
    assert run.sums["late"] == 11
    assert run.known["bytes_up"] == rows[21]["bytes_up"]
    assert run.test_round == 20
    assert run.round_seconds == pytest.approx(0.2)
    assert run.left == pytest.approx(1.4)


def test_missing_reports_of_a_fleet_are_its_own_count(make_run: MakeRun) -> None:
    rows = [row | {"missing": 0} for row in make_rows(3)]
    assert looked(make_run("fleet", rows, rounds=5)).sums["missing"] == 0
    assert looked(make_run("local", make_rows(3), rounds=5)).sums["missing"] == 3


def test_a_run_without_news_is_quiet_and_one_that_is_done_has_ended(make_run: MakeRun) -> None:
    folder = make_run("run", make_rows(3), rounds=5)
    assert looked(folder, after=29).status == "running"
    assert looked(folder, after=31).status == "quiet"
    slow = make_run("slow", [row | {"round_seconds": 60.0} for row in make_rows(3)], rounds=5)
    assert looked(slow, after=500).status == "running"
    assert looked(slow, after=700).status == "quiet"
    assert looked(make_run("done", make_rows(5)), after=10**6).status == "ended"


def test_the_screen_of_a_fleet(make_run: MakeRun) -> None:
    fleet: dict[str, Any] = {
        "refused": {"late": 7, "identity": 2}, "faults": {"timeout": 3},
        "missing": 2, "catch_up_bytes": 12_000, "client_accuracy": 0.5, "client_loss": 1.25,
    }  # fmt: skip
    rows = [row | fleet for row in make_rows(40)[:22]]
    rows[-1] = abandoned(rows[-1])
    folder = make_run("run", rows, rounds=40)
    now = (folder / "metrics.jsonl").stat().st_mtime + 2
    told = {"online": 9, "registered": 12, "stage": "collecting", "asked": 10, "in": 6}
    told |= {"deadline": 14.2, "updated": now - 3}
    (folder / "fleet.json").write_text(json.dumps(told))
    run = looked(folder, after=2)
    text = " ".join(shown(screen(run)).split())
    for said in (
        "● running", "round 22 of 40 · 55.0 % · left 0:00:04", "training loss –",
        "test accuracy 57.5 % round 20", "clients' accuracy 50.0 % loss 1.2500", "a round 0.20 s",
        "reports in 0 of 5 84 of 110", "missing 2 44", "abandoned yes 1", "to catch up 12.0 kB",
        "refused late 7 · identity 2", "faults timeout 3",
        "fleet 9 of 12 online · collecting · 6 of 10 in · deadline in 11.2 s",
    ):  # fmt: skip
        assert said in text
    run.now += 60
    assert "as of 1 min 03 s ago" not in shown(screen(run)).splitlines()[0]
    assert "as of" in shown(screen(run))


@pytest.mark.parametrize("width", [30, 50, 75, 76, 80, 200])
def test_the_screen_fits_the_terminal(make_run: MakeRun, width: int) -> None:
    shown(screen(looked(make_run("run", make_rows(40)[:22], rounds=40))), width)


def test_a_program_gets_the_same(make_run: MakeRun) -> None:
    rows = [row | {"refused": {"late": 7}} for row in make_rows(5)]
    value = looked(make_run("run", rows)).as_json()
    assert (value["status"], value["round"], value["rounds"]) == ("ended", 5, 5)
    assert (value["refused"], value["faults"], value["fleet"]) == ({"late": 7}, {}, None)
    assert value["newest"]["digest"] == f"{5:064x}"
    assert value["sums"]["reports"] == 20


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"online": 1', "[" * 70_000, '{"stage": "\x00'],
)  # fmt: skip
def test_a_fleet_file_that_is_being_written_or_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "fleet.json").write_text(text)
    assert read_fleet(tmp_path) is None


def test_a_fleet_file_with_odd_values(tmp_path: Path) -> None:
    odd = {"online": -1, "registered": "many", "stage": "\x1b[2Jgone\n" + "x" * 99, "asked": True,
           "in": 1e9, "deadline": math.nan, "updated": 10**400}  # fmt: skip
    (tmp_path / "fleet.json").write_text(json.dumps(odd))
    fleet = read_fleet(tmp_path)
    assert fleet is not None
    assert fleet.stage is not None
    assert fleet.stage.startswith("[2Jgone")
    assert len(fleet.stage) <= 40
    assert {v for k, v in vars(fleet).items() if k != "stage"} == {None}


def test_a_reason_cannot_move_the_cursor(make_run: MakeRun) -> None:
    rows = [make_row(1, 2) | {"refused": {"\x1b[2J\nlate": 1}}]
    run = looked(make_run("run", rows, rounds=2))
    assert run.reasons("refused") == {"[2Jlate": 1}


@pytest.mark.parametrize(
    ("values", "bars"),
    [([], ""), ([1.0], "▁"), ([2.0, 2.0], "▁▁"), ([3.0, 2.0, 1.0], "█▅▁"), ([1.0] * 99, "▁" * 24)],
)
def test_sparkline(values: list[float], bars: str) -> None:
    assert sparkline(values) == bars
