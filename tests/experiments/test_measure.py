"""Cells that are no runs: a study's own measurement, stored and shown as runs are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.harness import results
from experiments.harness.command import main
from experiments.harness.work import work
from tests.experiments.tiny.measured import STUDY


def test_what_is_measured_is_stored_shown_and_not_measured_again(tmp_path, capsys):
    page = tmp_path / "README.md"
    page.write_text("<!-- twice -->\n<!-- end -->\n", encoding="utf-8")
    assert main([STUDY.module, "--folder", str(tmp_path)]) == 0
    assert [line["extra"] for line in results.read_lines(tmp_path)] == [{"twice": 6}, {"twice": 8}]
    assert "| 6 |\n| 8 |" in page.read_text(encoding="utf-8")
    assert "2/2  number=4" in capsys.readouterr().out
    assert main([STUDY.module, "--folder", str(tmp_path)]) == 0
    assert "0 of 2 cells to run" in capsys.readouterr().out


def test_a_cell_that_is_no_run_needs_a_study_that_measures():
    with pytest.raises(ValueError, match=r"expected a Study with `measure`, since number=3"):
        work(replace(STUDY, measure=None), STUDY.cells[0])
