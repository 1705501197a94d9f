"""The file of results, and the pages and pictures that show it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from experiments.harness import results, tables
from experiments.harness.command import main
from experiments.harness.pictures import draw, stale
from experiments.harness.study import load, studies
from tests.experiments.tiny.study import STUDY


def line(cell, accuracy=0.5):
    return {"cell": cell.id, "summary": {"test_accuracy": accuracy}, "extra": {}}


@pytest.fixture
def study(tmp_path):
    """The tiny study, with two results that nobody measured and a page that shows them."""
    found = replace(STUDY, folder=tmp_path, images=tmp_path)
    (tmp_path / "README.md").write_text("<!-- accuracies -->\n<!-- end -->\n", encoding="utf-8")
    for cell in (STUDY.cells[2], STUDY.cells[0]):
        results.add(tmp_path, line(cell))
    tables.fill(found)
    draw(found)
    return found


@pytest.mark.parametrize("name", studies())
def test_every_studys_pages_and_pictures_are_what_its_results_say(name):
    assert main([name, "--check"]) == 0


def test_results_come_in_the_order_of_the_cells(study):
    assert [r.cell for r in results.results_of(study)] == [STUDY.cells[0], STUDY.cells[2]]
    assert results.missing(study) == [STUDY.cells[1], STUDY.cells[3]]


def test_a_cell_gets_one_line_however_many_run_it(study):
    before = (study.folder / results.FILE).read_bytes()
    assert not results.add(study.folder, line(STUDY.cells[0], accuracy=0.9))
    assert (study.folder / results.FILE).read_bytes() == before


def test_writers_at_the_same_time_lose_nothing(tmp_path):
    cells = [{"cell": str(n), "summary": {}, "extra": {}} for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda each: results.add(tmp_path, each), cells))
    assert {each["cell"] for each in results.read_lines(tmp_path)} == {str(n) for n in range(24)}
    assert [path.name for path in tmp_path.iterdir()] == [results.FILE]


def test_a_line_of_no_cell_is_kept_counted_and_not_shown(study):
    results.add(study.folder, {"cell": "gone", "summary": {}, "extra": {}})
    assert results.orphans(study) == 1
    assert len(results.results_of(study)) == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"cell": "a"}', "7"])
def test_a_damaged_line_is_named(study, text):
    with (study.folder / results.FILE).open("a", encoding="utf-8") as file:
        file.write(text + "\n")
    with pytest.raises(ValueError, match=r"results\.jsonl:3 is no result"):
        results.read_lines(study.folder)


def test_a_changed_figure_is_noticed_in_page_and_picture(study):
    assert tables.mistakes(study) == []
    assert stale(study) == []
    path = study.folder / results.FILE
    path.write_text(path.read_text(encoding="utf-8").replace("0.5", "0.6", 1), encoding="utf-8")
    assert len(tables.mistakes(study)) == 1
    assert len(stale(study)) == 1
    tables.fill(study)
    draw(study)
    assert tables.mistakes(study) == stale(study) == []


def test_a_page_without_a_place_for_a_table_is_noticed(study):
    (study.folder / "README.md").write_text("nothing\n", encoding="utf-8")
    assert "no page has a place for the table accuracies" in tables.mistakes(study)[0]


def test_infinite_figures_do_not_reach_the_file(study):
    with pytest.raises(ValueError, match="JSON"):
        results.add(study.folder, line(STUDY.cells[1], accuracy=float("inf")))
    assert len(results.read_lines(study.folder)) == 2
    assert json.loads((study.folder / results.FILE).read_text(encoding="utf-8").splitlines()[0])


def test_committed_studies_say_on_which_machine_they_ran():
    for name in studies():
        for each in results.read_lines(load(name).folder):
            assert each["machine"]["cpu"]
            assert each["wall_seconds"] > 0


def test_what_runs_took_is_told_with_their_machine():
    machine = {"cpu": "abacus", "cores": 2, "torch": "2", "load": 1.0}
    taken = [
        results.Result(cell, {"wall_seconds": seconds, "machine": machine})
        for cell, seconds in zip(STUDY.cells, (5.0, 9.0, 6.0, 100.0), strict=True)
    ]
    shown = tables.cost(results.Results(taken), "bits")
    assert "| 16 | 2 | 6 (5 to 6) | 1.0 (1.0 to 1.0) | abacus, 2 cores, torch 2 |" in shown
    assert "| 2 | 2 | 54 (9 to 100) |" in shown
