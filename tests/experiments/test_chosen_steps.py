"""Step sizes of studies are those of the least training loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.harness import Cell, Study, results
from experiments.harness.study import STUDIES, load, studies
from experiments.participation.steps import FILE, as_text, best, main, read_steps, tried

LOSSES = {("a", 0.1): 2.0, ("a", 0.2): 1.0, ("b", 0.1): 1.0, ("b", 0.2): 3.0}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study of two kinds, of which nothing has run yet."""
    cells = [
        Cell({"what": "tune", "kind": kind, "step": step}, {"kind": kind, "step": step})
        for kind, step in LOSSES
    ]
    return replace(load("natural"), folder=tmp_path, cells=cells)


def run(study: Study, cell: Cell) -> None:
    loss = LOSSES[cell.settings["kind"], cell.settings["step"]]
    results.add(study.folder, {"cell": cell.id, "summary": {}, "extra": {"train_loss": loss}})


@pytest.mark.parametrize("name", [name for name in studies() if (STUDIES / name / FILE).exists()])
def test_committed_step_sizes_are_those_of_the_least_training_loss(name: str) -> None:
    study = load(name)
    assert read_steps(study.folder) == best(study) != {}


def test_the_least_loss_is_chosen_for_each_kind(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for cell in study.cells:
        run(study, cell)
    monkeypatch.setattr("experiments.participation.steps.load", lambda name: study)
    assert main(["natural"]) == 0
    assert read_steps(study.folder) == best(study) == {"a": 0.2, "b": 0.1}
    assert capsys.readouterr().out == "natural: 2 of 2 step sizes chosen\n"
    assert as_text(tried(results.results_of(study))["b"]) == "**0.1: 1.000**, 0.2: 3.000"


def test_nothing_is_chosen_before_all_is_tried(study: Study) -> None:
    for cell in study.cells[:3]:
        run(study, cell)
    assert best(study) == {"a": 0.2}
