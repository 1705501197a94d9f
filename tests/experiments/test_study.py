"""Cells: what they set, and that nothing but their settings names them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.harness import Cell, Results, grid, interval, keys, spread
from experiments.harness.results import Result
from experiments.harness.study import STUDIES, load, studies
from tests.experiments.tiny.study import STUDY
from tools import snippets


def test_a_grid_lays_each_value_over_the_base():
    base = {"rounds": 3, "data": {"name": "mnist", "options": {"size": 28}}}
    small = {"data": {"options": {"other": 1}}, "secure": {"unheard": "of"}}
    cells = grid(base, size={"small": small}, key=keys(2))
    assert [dict(c.labels) for c in cells] == [{"size": "small", "key": k} for k in (0, 1)]
    assert cells[1].settings == {
        "rounds": 3,
        "key": 1,
        "data": {"name": "mnist", "options": {"other": 1}},
        "secure": {"unheard": "of"},
    }
    assert base == {"rounds": 3, "data": {"name": "mnist", "options": {"size": 28}}}


def test_a_cell_is_named_by_its_settings_in_any_order_and_not_by_its_labels():
    one = Cell({"a": 1}, {"rounds": 3, "data": {"name": "digits", "root": ""}})
    same = Cell({"b": 2}, {"data": {"root": "", "name": "digits"}, "rounds": 3})
    other = Cell({"a": 1}, {"rounds": 4, "data": {"name": "digits", "root": ""}})
    assert one.id == same.id != other.id


@pytest.mark.parametrize(
    ("second", "what"),
    [(Cell({"key": 1}, {"key": 0}), "settings"), (Cell({"key": 0}, {"key": 1}), "labels")],
)
def test_two_cells_that_would_be_mistaken_for_each_other_are_refused(second, what):
    with pytest.raises(ValueError, match=f"the same {what}"):
        replace(STUDY, cells=[Cell({"key": 0}, {"key": 0}), second])


def test_every_study_is_found_by_its_name_and_a_wrong_name_lists_them():
    assert "quantisation" in studies()
    assert all(load(name).name == name for name in studies())
    with pytest.raises(ValueError, match=r"quantisation.*got 'quantization'"):
        load("quantization")


def test_the_page_that_tells_how_to_write_one_is_true(capsys):
    assert snippets.main([str(STUDIES / "README.md")]) == 0
    assert "1 ran" in capsys.readouterr().out


def result(accuracy: float | None, **labels: int) -> Result:
    line = {"summary": {"test_accuracy": accuracy}, "extra": {"epsilon": 8 * labels["key"]}}
    return Result(Cell(labels, labels), line)


def test_pairs_are_of_cells_that_differ_in_nothing_else():
    results = Results(
        [
            result(0.9, key=0, bits=16),
            result(0.8, key=0, bits=2),
            result(0.7, key=1, bits=2),  # its partner is not there yet
            result(0.6, key=2, bits=2),
            result(0.95, key=2, bits=16),
        ]
    )
    assert results.paired("test_accuracy", "bits", 2, 16) == pytest.approx([-0.1, -0.35])
    assert results.select(key=0, bits=2).figures("test_accuracy") == [0.8]
    assert results.select(bits=2).figures("epsilon") == [0, 8, 16]


def test_what_a_run_did_not_measure_is_not_a_number():
    assert [str(v) for v in Results([result(None, key=0)]).figures("test_accuracy")] == ["nan"]


def test_the_interval_is_students():
    # t(0.975, 4) = 2.776 (NIST handbook, table of the t distribution); s = 1.5811
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.half == pytest.approx(2.776 * 1.5811 / 5**0.5, rel=1e-3)
    assert not found.holds_zero
    assert interval([-1.0, 1.2]).holds_zero
    assert not interval([0.5]).holds_zero  # one value tells nothing
    assert spread([4.0, 1.0]).median == 2.5
