from __future__ import annotations

import numpy as np
import pytest

from baffle.report.captions import labels_of, shortened, subtitle, title
from baffle.report.curves import spread
from baffle.report.series import COSTS, ROUNDS, points, smoothed
from baffle.report.summary import summarise
from tests.report.conftest import MakeRun, abandoned, make_rows, rebuilt


def test_points_leave_out_what_is_not_known() -> None:
    rows = make_rows(20)
    rows[3] = abandoned(rows[3])
    rows[6] = rebuilt(rows[6])
    x, y = points(rows, ROUNDS, "loss")
    assert x.tolist() == [i for i in range(1, 21) if i != 4]
    assert len(points(rows, COSTS[0], "loss")[0]) == 18
    assert points(rows, ROUNDS, "test_accuracy")[0].tolist() == [10, 20]
    assert [len(part) for part in points([], ROUNDS, "loss")] == [0, 0]
    assert y.min() > 0


def test_traffic_is_both_ways() -> None:
    x, _ = points(make_rows(1), COSTS[1], "loss")
    assert x.tolist() == [4 * 1080 + 394_000]


@pytest.mark.parametrize(
    ("cost", "total", "unit"),
    [
        (0, 15e6, (1e6, "million example evaluations")),
        (0, 512, (1.0, "example evaluations")),
        (1, 3e9, (1e9, "GB, up and down, all clients")),
        (2, 36.0, (1.0, "seconds")),
        (2, 600.0, (60, "minutes")),
        (2, 1e5, (3600, "hours")),
    ],
)
def test_units_of_the_axes(cost: int, total: float, unit: tuple[float, str]) -> None:
    assert COSTS[cost].unit(total) == unit


def test_the_moving_mean_keeps_ends_lines_and_few_points() -> None:
    line = np.arange(400.0)
    assert np.allclose(smoothed(line), line)
    noise = np.random.default_rng(0).normal(size=400)
    assert smoothed(noise)[50:350].std() < 0.45
    assert smoothed(noise)[[0, -1]] == pytest.approx(noise[[0, -1]])
    assert len(smoothed(np.array([]))) == 0


def test_labels_are_spread_in_order_and_within_the_panel() -> None:
    assert spread([0.2, 0.9], 0.1) == [0.2, 0.9]
    assert spread([], 0.1) == []
    placed = spread([1.0, 0.99, 1.0, 0.98], 0.1)
    assert max(placed) == 1.0
    assert np.diff(sorted(placed)) == pytest.approx([0.1] * 3)
    assert placed[3] < placed[1] < placed[0]
    assert np.diff(sorted(spread([0.5] * 40, 0.1))) == pytest.approx([1 / 39] * 39, abs=1e-5)


def test_title_and_subtitle_of_one_run(make_run: MakeRun) -> None:
    summary = summarise(make_run("run", make_rows(20)))
    assert title([summary]) == "baffle · mlp on digits · 10 clients · key 0 · 95.0 % test accuracy"
    assert subtitle([summary]) == (
        "4,810 trained entries · 1.08 kB a report · 1.33 M example evaluations, forward only · "
        "86.4 kB up, 660 kB down · 4.00 s"
    )
    assert labels_of([summary]) == [""]


def test_titles_of_several_runs(make_run: MakeRun) -> None:
    keys = [summarise(make_run(f"k{i}", make_rows(10 + i), key=i)) for i in range(3)]
    assert title(keys) == "baffle · mlp on digits · 10 clients · 3 keys · 95.0 % test accuracy"
    assert labels_of(keys) == ["key 0", "key 1", "key 2"]
    paper = summarise(make_run("p", make_rows(10), algorithm="baffle-paper"))
    assert title([keys[0], paper]).startswith("baffle and baffle-paper · mlp")
    assert labels_of([keys[0], paper]) == ["baffle", "baffle-paper"]
    assert labels_of([keys[0], keys[0]]) == ["k0", "k0"]


def test_long_labels_are_shortened() -> None:
    assert len(shortened("x" * 50)) == 20
    assert shortened("short") == "short"
