"""Medians, spread, the budget's point, the verdict: from lines made by hand."""

import pytest
from rich.console import Console

from baffle.report.compared import Spread, compared
from baffle.report.compared_table import compared_table, markdown
from baffle.report.verdict import verdict
from tests.compare.lines import worked
from tests.compare.made import carried_out, comparison

NAMES = ("baffle", "baffle-paper", "fedavg")
ACCURACY = {"baffle": 0.9, "baffle-paper": 0.7, "fedavg": 0.95}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return made(tmp_path_factory.mktemp("compared"))


def made(folder, keys=(0, 1, 2), lucky=0.0, **more):
    asked = comparison(NAMES, keys=keys, **more)

    def line(cell):
        key = cell.about.get("key", 0)
        own = 0.02 * key - lucky * (key == 2 and cell.contender == "baffle-paper")
        gradients = 10 if cell.contender == "fedavg" else 0
        peak = 300e6 if cell.contender == "fedavg" else 200e6
        return worked(cell, ACCURACY[cell.contender] - own, gradients=gradients, peak=peak)

    return compared(asked, carried_out(asked, line)[0], folder)


def test_rows_are_ranked_and_hold_medians_over_keys(found):
    assert [e.name for e in found.entries] == ["fedavg", "baffle", "baffle-paper"]
    spread = found.entries[1].spread
    assert spread == Spread(*(pytest.approx(x) for x in (0.88, 0.86, 0.9)))
    assert found.entries[1].costs == {
        "rounds": 100, "evaluations": 1000, "gradients": 0, "bytes_up": 200.0,
        "bytes_down": 300.0, "seconds": 50.0,
    }  # fmt: skip
    assert found.entries[1].tuning == {"trials": 3, "evaluations": 600, "seconds": 30.0}
    assert found.complete


def test_the_verdict_names_the_winner_how_surely_and_what_derivatives_need(found):
    text = verdict(found)
    assert "By forward passes alone baffle reaches 88.0 % at as many example evaluations" in text
    assert "baffle-paper, the next of 2, 68.0 %; baffle is ahead with 3 of 3 keys." in text
    assert "With derivatives fedavg reaches 93.0 %" in text
    assert "automatic differentiation" in text
    assert "sends 200 B (baffle 200 B)" in text
    assert "holds 30.0 MB (baffle 20.0 MB)" in text


def test_the_verdict_says_where_it_may_be_luck(tmp_path):
    assert "few keys prove little" in verdict(made(tmp_path, keys=(0, 1)))
    assert "2 of 3 keys, which may be luck" in verdict(made(tmp_path, lucky=0.25))


def test_at_a_narrow_terminal_no_figure_is_lost(found):
    for width in (80, 160):
        console = Console(width=width, record=True, file=None, highlight=False)
        with console.capture() as shown:
            console.print(compared_table(found))
        text = shown.get()
        assert "…" not in text
        for figure in ("93.0 %", "91.0–95.0", "300 MB", "600, 30.0 s", "512 × 32", "– × 32"):
            assert figure in text


def test_markdown_has_a_row_an_algorithm(found):
    lines = markdown(found).splitlines()
    assert len(lines) == 2 + len(NAMES)
    assert {line.count("|") for line in lines} == {13}


def test_json_has_everything_but_the_curves(found):
    value = found.as_json()
    assert value["rows"][0]["accuracy"] == {"median": pytest.approx(0.93), "low": pytest.approx(
        0.91), "high": pytest.approx(0.95)}  # fmt: skip
    assert value["rows"][0]["accuracy_by_key"]["2"] == pytest.approx(0.91)
    assert "curves" not in value["rows"][0]
    assert value["complete"]
    assert value["equal"] == "evaluations"


def test_what_has_no_figures_says_why(tmp_path):
    asked = comparison(NAMES, budget=5.0)
    none = compared(asked, carried_out(asked)[0], tmp_path, {"fedavg": "no such data"})
    assert {e.note for e in none.entries} == {
        "one round needs more than the budget",
        "no such data",
    }
    assert "fedavg: no such data." in verdict(none)
    assert none.as_json()["rows"][0]["accuracy"] is None


def test_an_unfinished_comparison_is_not_complete(tmp_path):
    asked = comparison(NAMES)
    assert not compared(asked, {}, tmp_path).complete
    assert verdict(compared(asked, {}, tmp_path)) == "Nothing to compare yet."


def test_without_runs_there_is_no_figure(tmp_path):
    from baffle.report.compared_figure import draw_compared

    asked = comparison(NAMES)
    assert draw_compared(compared(asked, {}, tmp_path), tmp_path / "3.png") is None


@pytest.mark.slow
def test_the_figure_is_drawn_alike_each_time(found, tmp_path):
    from baffle.report.compared_figure import draw_compared

    one, two = (draw_compared(found, tmp_path / name) for name in ("1.png", "2.png"))
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes()[16:24] == (1920).to_bytes(4, "big") + (1080).to_bytes(4, "big")
