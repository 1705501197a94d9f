from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from baffle.drivers.local.metrics import Row
from baffle.report import Progress
from tests.report.conftest import abandoned, make_row, make_rows, rebuilt

HEADER = ["round", "loss", "accuracy", "cosine", "SNR", "up", "down", "probes/s", "left"]


def watch(rows: list[Row], rounds: int, *, terminal: bool) -> str:
    """Return what a console of 80 columns gets when each round takes two seconds."""
    file, now = io.StringIO(), [0.0]
    console = Console(file=file, width=80, force_terminal=terminal, _environ={"TERM": "xterm"})
    with Progress(console, rounds, clock=lambda: now[0]) as progress:
        for row in rows:
            now[0] += 2.0
            progress.update(row)
    return file.getvalue()


def plain(rows: list[Row], rounds: int) -> list[str]:
    return watch(rows, rounds, terminal=False).splitlines()


def shown_rounds(lines: list[str]) -> list[int]:
    return [int(line.split("/")[0]) for line in lines[1:]]


def test_a_log_gets_about_ten_lines() -> None:
    lines = plain(make_rows(400), 400)
    assert lines[0].split() == HEADER
    assert shown_rounds(lines) == [1, *range(40, 401, 40)]


@pytest.mark.parametrize(("rounds", "count"), [(1, 1), (3, 3), (10, 10), (11, 11), (99, 11)])
def test_first_and_last_round_are_always_shown(rounds: int, count: int) -> None:
    shown = shown_rounds(plain(make_rows(rounds), rounds))
    assert (shown[0], shown[-1], len(shown)) == (1, rounds, count)


def test_a_run_that_is_stopped_shows_where() -> None:
    assert shown_rounds(plain(make_rows(100)[:47], 100)) == [1, 10, 20, 30, 40, 47]


def test_a_resumed_run_begins_where_it_stood() -> None:
    lines = plain(make_rows(100)[42:], 100)
    assert shown_rounds(lines) == [43, *range(50, 101, 10)]
    assert lines[1].endswith("0:01:54")  # 57 rounds of two seconds


def test_figures_of_a_line() -> None:
    lines = plain(make_rows(400), 400)
    assert lines[2].split() == [
        *("40/400", "1.3074", "27.5", "%", "0.247", "1.73"),
        *("173", "kB", "940", "kB", "10.4", "k", "0:12:00"),
    ]


def test_columns_stand_still() -> None:
    rows = make_rows(1000)
    rows[99] |= {"loss": -123456.7, "signal_to_noise": 12345.6, "bytes_down": 10**15}
    rows[199] = abandoned(rows[199])
    rows[299] = rebuilt(rows[299])
    rows[399] |= {"loss": -98.76, "signal_to_noise": None}
    lines = plain(rows, 1000)
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 80


def test_what_is_not_known_is_a_dash_and_what_was_known_stays() -> None:
    rows = make_rows(10, evaluate_every=5)
    rows[5] = rebuilt(abandoned(rows[5]))
    lines = plain(rows, 10)
    assert lines[1].split()[2] == "–"  # no evaluation yet
    assert lines[6].split()[:4] == ["6/10", "–", "57.5", "%"]
    assert lines[6].split()[5:10] == ["–", "21.6", "kB", "450", "kB"]


def test_nothing_but_rebuilt_rows() -> None:
    lines = plain([rebuilt(make_row(1, 2)), rebuilt(make_row(2, 2))], 2)
    assert lines[1].split()[-4:-1] == ["–", "–", "–"]


def test_a_run_without_rounds_leaves_the_header_alone() -> None:
    assert len(plain([], 10)) == 1


def test_a_terminal_gets_one_line_in_place() -> None:
    text = watch(make_rows(50), 50, terminal=True)
    assert text.count("\n") == 2  # header, and the line that stays
    assert "\x1b[?25l" in text
    assert text.rstrip().endswith("\x1b[?25h")  # the cursor is back
    assert "50/50" in text


def test_the_cursor_comes_back_after_an_error() -> None:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, _environ={"TERM": "xterm"})
    progress = Progress(console, 5)

    def stopped() -> None:
        with progress:
            progress.update(make_row(1, 5))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert "1/5" in file.getvalue()
    assert file.getvalue().rstrip().endswith("\x1b[?25h")


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 200])
def test_a_narrow_terminal_gets_fewer_figures(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    with Progress(console, 400) as progress:
        progress.update(make_row(40, 400))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in lines)
    assert re.match(r" *40/400 ", lines[1])
    assert (lines[0].split() == HEADER) == (width >= 79)
