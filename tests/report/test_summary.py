from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from baffle.config import resolve
from baffle.directions import ModelSignature, TensorSpec
from baffle.drivers.build import first_plan
from baffle.drivers.local.metrics import round_row
from baffle.errors import LedgerError
from baffle.protocol import Outcome
from baffle.report import Summary, summarise
from baffle.report.dimension import dimension_of
from tests.report.conftest import DIMENSION, MakeRun, abandoned, make_row, make_rows, rebuilt
from tests.report.helpers import screen


def test_a_finished_run(make_run: MakeRun) -> None:
    summary = summarise(make_run("run", make_rows(40)))
    assert (summary.rounds, summary.rounds_planned, summary.test_round) == (40, 40, 40)
    assert summary.test_accuracy == pytest.approx(0.95)
    assert summary.bytes_up == 40 * 4 * 1080
    assert summary.bytes_up_per_report == 1080  # 56 and 512 integers of 2 bytes
    assert summary.dimension == DIMENSION
    assert summary.digest == f"{40:064x}"
    assert summary.choices == {
        "radius": [2.0**-9, 2.0**-7],
        "estimator": {"central": 8, "mean_baseline": 32},
        "quantisation_step": [2.0**-12, 2.0**-12],
        "step_size": 0.02,
        "chunk": 64,
        "threads": 2,
    }
    assert summary.faults == {
        "abandoned": 0,
        "missed": 40,
        "refused_late": 20,
        "clips": 40,
        "nonfinite": 0,
    }


def test_json_is_one_object_on_one_line(make_run: MakeRun) -> None:
    folder = make_run("run", make_rows(3, evaluate_every=0)[:2], rounds=3)
    text = summarise(folder).as_json()
    found = json.loads(text, parse_constant=pytest.fail)
    assert list(found) == [field.name for field in dataclasses.fields(Summary)]
    assert "\n" not in text
    assert (found["test_accuracy"], found["test_round"], found["rounds"]) == (None, None, 2)
    assert found["run_dir"] == str(folder)


def test_an_abandoned_last_round(make_run: MakeRun) -> None:
    rows = make_rows(20)
    rows[-1] = abandoned(rows[-1])
    summary = summarise(make_run("run", rows))
    assert summary.faults["abandoned"] == 1
    assert summary.faults["missed"] == 19 + 5
    assert summary.dimension == DIMENSION


def test_only_abandoned_rounds(make_run: MakeRun) -> None:
    rows = [abandoned(make_row(i, 9, evaluate_every=0)) for i in (1, 2, 3)]
    summary = summarise(make_run("run", rows, rounds=9))
    assert summary.dimension is None
    assert "–" in screen(summary.as_table())


def test_a_cut_last_line_is_left_out(make_run: MakeRun) -> None:
    summary = summarise(make_run("run", make_rows(20), cut='{"round": 21, "lo'))
    assert summary.rounds == 20


def test_rows_rebuilt_after_a_crash(make_run: MakeRun) -> None:
    rows = make_rows(20)
    rows[17:] = [rebuilt(row) for row in rows[17:]]
    summary = summarise(make_run("run", rows))
    assert (summary.rounds, summary.test_round) == (20, 10)
    assert summary.seconds == pytest.approx(0.2 * 17)
    assert summary.faults["missed"] == 17
    assert "57.5 % (round 10)" in screen(summary.as_table())


def test_nothing_but_rebuilt_rows(make_run: MakeRun) -> None:
    summary = summarise(make_run("run", [rebuilt(row) for row in make_rows(3)]))
    assert (summary.probes, summary.bytes_up, summary.example_evaluations) == (None, None, None)
    assert math.isnan(summary.seconds)
    assert math.isnan(summary.test_accuracy)


def test_a_single_round(make_run: MakeRun) -> None:
    summary = summarise(make_run("run", make_rows(1)))
    assert (summary.rounds, summary.test_round) == (1, 1)
    screen(summary.as_table())


def test_a_run_killed_before_its_first_round(make_run: MakeRun) -> None:
    folder = make_run("run", [], rounds=9)
    summary = summarise(folder)
    assert (summary.rounds, summary.digest, summary.choices["radius"]) == (0, None, None)
    assert summary.bytes_up_per_report == 1080
    assert "0 of 9" in screen(summary.as_table())
    (folder / "metrics.jsonl").unlink()
    assert summarise(folder) == summary or math.isnan(summary.seconds)


def test_the_step_size_of_a_configuration_that_leaves_it_open(make_run: MakeRun) -> None:
    summary = summarise(make_run("run", make_rows(10), update={"step_size": "auto"}))
    assert summary.choices["step_size"] == pytest.approx(0.02 * 0.9)


def test_local_steps_and_bits_count_in_a_report(make_run: MakeRun) -> None:
    folder = make_run("run", make_rows(2), probe={"num_local_steps": 3}, quantisation={"bits": 4})
    assert summarise(folder).bytes_up_per_report == 56 + 3 * 512 // 2


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="is not a run"):
        summarise(tmp_path / "nothing")


def test_the_table_in_80_columns(make_run: MakeRun) -> None:
    text = screen(summarise(make_run("r", make_rows(40))).as_table())
    for piece in (
        "baffle · mlp on digits · 10 clients · key 0",
        "test accuracy        95.0 %",
        "bytes up             173 kB",
        "trained entries      4,810",
        "radius               2^-9 to 2^-7",
        "estimator            central 8 rounds, mean_baseline 32 rounds",
        "reports missed       40, 20 of them refused because they came late",
        f"digest  {40:064x}",
    ):
        assert piece in text


def _row(reports: int, energy: int) -> dict[str, object]:
    """Return a row as the driver makes it, of a model of 61,706 entries."""
    settings = resolve({"update": {"step_size": 0.02}})
    plan = first_plan(settings, ModelSignature((TensorSpec("w", (DIMENSION,)),)))
    values = np.random.default_rng(0).integers(-2000, 2000, plan.count)
    return round_row(
        plan,
        Outcome(
            run=bytes(16),
            round=0,
            reports=reports,
            weight=reports,
            weight_squares=reports,
            loss=reports << 16,
            clips=0,
            nonfinite=0,
            energy=energy,
            odd=1,
            even=1,
            values=values,
        ),
        dimension=61_706,
    )


@pytest.mark.parametrize(
    ("reports", "energy"), [(1, 10**8), (5, 8 * 10**7), (5, 3 * 10**8), (5, 10)]
)
def test_the_dimension_comes_back_from_real_rows(reports: int, energy: int) -> None:
    row = _row(reports, energy)
    if not math.isfinite(row["signal_to_noise"]):  # type: ignore[arg-type]
        row["signal_to_noise"] = None  # as the file has it
    assert row["expected_cosine"]
    assert dimension_of([row]) == 61_706


def test_summary_is_a_value(make_run: MakeRun) -> None:
    summary = summarise(make_run("run", make_rows(2)))
    assert isinstance(summary, Summary)
    with pytest.raises(AttributeError):
        summary.rounds = 3  # type: ignore[misc]
