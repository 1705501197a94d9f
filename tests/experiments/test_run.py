"""A study that runs, is killed, goes on, and has nothing left to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from baffle.config import resolve
from baffle.drivers.local.task import task_of
from experiments.harness import Cell, results
from experiments.harness.command import main
from experiments.harness.runner import run_at_once
from experiments.harness.study import STUDIES
from tests.experiments.tiny.study import STUDY

MODULE = STUDY.module
PAGE = "# Tiny\n\n<!-- accuracies -->\n<!-- end -->\n\n<!-- other -->\nstays\n<!-- end -->\n"


@pytest.fixture
def folder(tmp_path):
    """A study's folder with a page; pictures and results go there."""
    (tmp_path / "README.md").write_text(PAGE, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The whole tiny study, run once."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "README.md").write_text(PAGE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr("tempfile.tempdir", None)
        assert main([MODULE, "--folder", str(folder)]) == 0
    return folder


def lines(folder):
    return results.read_lines(folder)


def digests(folder):
    return {line["cell"]: line["summary"]["digest"] for line in lines(folder)}


def test_a_study_leaves_its_lines_its_table_its_picture_and_nothing_else(finished):
    assert {path.name for path in finished.iterdir()} == {"README.md", "results.jsonl", "tiny.png"}
    assert [line["cell"] for line in lines(finished)] == [cell.id for cell in STUDY.cells]
    page = (finished / "README.md").read_text(encoding="utf-8")
    shown = [f"{line['summary']['test_accuracy']:.4f}" for line in lines(finished)]
    assert all(figure in page for figure in shown)
    assert page.endswith("<!-- other -->\nstays\n<!-- end -->\n")


def test_a_line_says_what_ran_and_what_it_came_to(finished):
    line = lines(finished)[1]
    assert line["labels"] == {"key": 0, "bits": 2}
    assert resolve(line["settings"]).quantisation.bits == 2
    summary = line["summary"]
    assert summary["rounds"] == 2
    assert summary["key"] == line["settings"]["key"] == 0
    assert 0 < summary["test_accuracy"] < 1
    assert line["curve"] == [[2, round(summary["test_accuracy"], 6)]]
    assert summary["example_evaluations"] == 4 * summary["probes"] > 0
    assert summary["bytes_up_per_report"] > 0
    assert len(bytes.fromhex(summary["digest"])) == 32
    assert line["extra"]["ledger_bytes"] > 0
    assert line["wall_seconds"] > 0
    assert str(finished) not in json.dumps(line)


def test_a_second_call_does_nothing(finished, capsys):
    before = {path: path.read_bytes() for path in finished.iterdir()}
    assert main([MODULE, "--folder", str(finished)]) == 0
    assert "0 of 4 cells to run" in capsys.readouterr().out
    assert before == {path: path.read_bytes() for path in finished.iterdir()}


def test_a_cell_that_lost_its_line_runs_again_to_the_same_digest(finished, folder):
    kept = [line for line in lines(finished) if line["labels"] != {"key": 1, "bits": 16}]
    for line in kept:
        results.add(folder, line)
    assert main([MODULE, "--folder", str(folder)]) == 0
    assert digests(folder) == digests(finished)
    assert (folder / "README.md").read_bytes() == (finished / "README.md").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("how", "jobs"), [(signal.SIGKILL, 1), (signal.SIGTERM, 2)])
def test_a_killed_study_goes_on_with_what_is_missing(how, jobs, folder, finished):
    command = [sys.executable, "-m", "experiments", MODULE, "--folder", str(folder)]
    environment = os.environ | {"TMPDIR": str(folder), "TINY_WAITS": "1"}
    process = subprocess.Popen([*command, "--jobs", str(jobs)], cwd=STUDIES.parent, env=environment)
    try:
        _wait_for(lambda: len(lines(folder)) == 2 or process.poll() is not None)
    finally:
        process.send_signal(how)
        code = process.wait()
    if how == signal.SIGTERM:
        assert code == 128 + signal.SIGTERM
        assert not list(folder.glob("baffle-*"))
    done = lines(folder)
    assert {line["cell"] for line in done} == {cell.id for cell in STUDY.cells[:2]}
    assert main([MODULE, "--folder", str(folder)]) == 0
    assert lines(folder)[:2] == done
    assert digests(folder) == digests(finished)


def _wait_for(what, seconds=60.0):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.01)


def test_a_failing_cell_is_named_and_the_others_run(folder, monkeypatch, capsys):
    def task(settings):
        if settings.key:
            raise RuntimeError(f"no task for key {settings.key}")
        return task_of(settings)

    study = replace(STUDY, folder=folder, images=folder, task=task)
    monkeypatch.setattr("experiments.harness.command.load", lambda name: study)
    assert main(["tiny", "--only", "bits=2"]) == 1
    assert [line["labels"] for line in lines(folder)] == [{"key": 0, "bits": 2}]
    said = capsys.readouterr().err
    assert "no task for key 1" in said
    assert said.endswith("failed: key=1 bits=2\n")


def test_a_process_that_fails_is_a_failed_cell(capfd):
    unknown = Cell({"key": 0}, {"rounds": 3})  # the module that the process loads has it not
    assert [ended.line for ended in run_at_once(STUDY, [unknown], jobs=2)] == [None]
    assert "StopIteration" in capfd.readouterr().err


def test_filters_choose_cells_and_name_what_there_is(folder, capsys):
    assert (
        main([MODULE, "--folder", str(folder), "--dry", "--only", "bits=2", "--only", "key=0,1"])
        == 0
    )
    assert "2 cells, 2 missing" in capsys.readouterr().out
    for wrong in ("bits=3", "bit=2", "bits"):
        assert main([MODULE, "--folder", str(folder), "--only", wrong]) == 2
        assert "--only: expected a label among key, bits" in capsys.readouterr().err
    assert not (folder / results.FILE).exists()


def test_settings_that_the_library_refuses_are_told_before_anything_runs(
    folder, monkeypatch, capsys
):
    wrong = replace(
        STUDY,
        cells=[*STUDY.cells, replace(STUDY.cells[0], labels={"key": 7}, settings={"round": 7})],
    )
    monkeypatch.setattr("experiments.harness.command.load", lambda name: wrong)
    assert main(["tiny", "--folder", str(folder)]) == 2
    assert "key=7: round is no setting" in capsys.readouterr().err
    assert not (folder / results.FILE).exists()
