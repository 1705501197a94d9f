"""The studies of the advice, and of time and memory over sizes: pages say what results say."""

import pytest

from experiments.advice import command as advice
from experiments.advice.cells import CASES, WAYS, Cell, cells
from experiments.advice.judging import choice, judged
from experiments.harness.results import add, read_lines
from experiments.resources import cells as sizes
from experiments.resources import command as resources
from experiments.resources.models import FAMILIES, WIDTHS


@pytest.mark.parametrize("study", [advice, resources])
def test_page_and_picture_are_what_the_results_say(study):
    assert study.main(["--check"]) == 0


def line(cell, seconds, peak, own=10.0):
    figures = {"way": cell.way, "trained": "all", "dimension": 1000, "parts": 2, "up": 4000}
    figures |= {"down": 4000, "runtime_mib": peak - own, "peak_mib": peak}
    whole = {**figures, "points": [[cell.whole.units, seconds, 0.0]]}
    return {"cell": cell.id, "summary": {"short": {**figures, "points": [[1, 0.1, 0.0]]},
            "whole": whole}}  # fmt: skip


def test_a_choice_is_right_where_whole_rounds_make_it_too():
    case = CASES[0]
    lines = {c.id: line(c, 1.0, 300) for c in (Cell(case, way) for way in WAYS)}
    ways = judged(case, lines)
    assert choice(case, ways, lines).right
    spoilt = Cell(case, "fedavg")
    lines[spoilt.id] = line(spoilt, 1.0, 300)
    lines[spoilt.id]["summary"]["whole"]["peak_mib"] = 5000  # more than predicted, and than fits
    found = choice(case, judged(case, lines), lines)
    assert (found.advised, found.right) == ("fedavg", False)


def test_a_changed_figure_is_noticed(tmp_path):
    page = "<!-- within -->\n<!-- end -->\n"
    (tmp_path / "README.md").write_text(page, encoding="utf-8")
    add(tmp_path, line(next(iter(cells())), 1.0, 300) | {"extra": {}})
    assert advice.main(["--check", "--folder", str(tmp_path)]) == 1
    assert advice.main(["--report", "--folder", str(tmp_path)]) == 0
    assert advice.main(["--check", "--folder", str(tmp_path)]) == 0
    assert len(read_lines(tmp_path)) == 1


def test_cells_are_distinct():
    for every in (list(cells()), sizes.cells()):
        assert len({cell.id for cell in every}) == len(every)


def test_models_are_as_large_as_they_are_called():
    for family, widths in WIDTHS.items():
        for exponent, width in widths.items():
            if exponent < 7:
                d = sum(p.numel() for p in FAMILIES[family](width).parameters())
                assert 0.8 < d / 10**exponent < 1.25
