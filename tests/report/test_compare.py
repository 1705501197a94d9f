from __future__ import annotations

from pathlib import Path

import pytest

from baffle.errors import ConfigError, LedgerError
from baffle.report import compare
from baffle.report.compare import COLUMNS
from tests.report.conftest import MakeRun, abandoned, make_rows, rebuilt
from tests.report.helpers import screen


def test_one_run_shows_everything(make_run: MakeRun) -> None:
    rows = make_rows(20)
    rows[17] = abandoned(rows[17])
    rows[18] = rebuilt(rows[18])
    text = screen(compare([make_run("run", rows)]))
    assert "rounds abandoned     1" in text
    assert "federation           clients 10, participation 0.5" in text
    assert "partition_options {alpha 1, min_rows 8}" in text
    last = text[text.index("Last rounds") :].splitlines()
    assert last[1].split() == [title for name, _ in COLUMNS for title in name.split()]
    assert [line.split()[0] for line in last[2:7]] == ["16", "17", "18", "19", "20"]
    assert last[4].split()[:4] == ["18", "–", "–", "0/5"]
    assert "4/–" in last[5]
    assert "95.0 %" in last[6]


def test_two_runs_show_only_what_differs(make_run: MakeRun) -> None:
    first = make_run("first", make_rows(20))
    second = make_run("second", make_rows(40), algorithm="baffle-paper", key=7)
    text = screen(compare([first, second]), width=200)
    settings = text[text.index("Settings that differ") : text.index("Figures")]
    names = [line.split()[0] for line in settings.splitlines()[2:] if line]
    assert names[:3] == ["algorithm", "key", "rounds"]
    assert {"probe.directions", "update.schedule"} < set(names)
    assert not {"probe.num_directions", "update.beta1", "data.name"} & set(names)
    figures = [line.split() for line in text[text.index("Figures") :].splitlines()]
    assert ["rounds", "20", "40", "×", "2.00"] in figures
    assert ["bytes", "up", "86.4", "kB", "173", "kB", "×", "2.00"] in figures
    assert ["time", "4.00", "s", "8.00", "s", "×", "2.00"] in figures


def test_two_runs_in_80_columns(make_run: MakeRun) -> None:
    runs = [make_run(name, make_rows(3), key=len(name)) for name in ("a", "bb")]
    text = screen(compare(runs))
    assert "B / A" in text
    assert "B  baffle · mlp on digits · 10 clients · key 2" in text


def test_equal_settings_and_unknown_figures(make_run: MakeRun) -> None:
    rows = [rebuilt(row) for row in make_rows(3)]
    text = screen(compare([make_run("a", rows), make_run("b", make_rows(3))]), width=200)
    assert "Settings that differ\n  none" in text
    assert "bytes up" in text
    assert any(line.split() == ["time", "–", "0.60", "s", "–"] for line in text.splitlines())


def test_three_runs_have_no_ratio(make_run: MakeRun) -> None:
    text = screen(compare([make_run(f"r{i}", make_rows(3), key=i) for i in range(3)]), width=200)
    assert " C" in text
    assert "B / A" not in text


def test_a_run_without_rounds(make_run: MakeRun) -> None:
    assert "Last rounds\n  none" in screen(compare([make_run("run", [])]))


def test_what_cannot_be_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        compare([])
    with pytest.raises(LedgerError, match="holds no config"):
        compare([tmp_path])
