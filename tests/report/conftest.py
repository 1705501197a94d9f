"""Run folders made of nothing: a configuration, and rows with round_row's and the driver's keys."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from baffle.config import resolve, to_toml
from baffle.drivers.local.metrics import Row
from baffle.estimators.diagnostics import quality

DIMENSION = 4810
ASKED, BATCH, REPORT = 5, 32, 1080


def make_row(round: int, rounds: int, *, evaluate_every: int = 10) -> Row:
    """Return a round of a run that learns: what `Session._row` would say."""
    share = round / rounds
    figures = quality(1.0, 2.0 + share, 4.0, 512, DIMENSION)
    row: Row = {
        "round": round,
        "loss": 0.1 + 2.2 * math.exp(-6 * share),
        "reports": 4,
        "abandoned": False,
        "expected_cosine": figures.expected_cosine,
        "signal_to_noise": figures.signal_to_noise,
        "derivative_rms": 0.35,
        "estimator": "mean_baseline" if round % 5 else "central",
        "num_directions": 512,
        "radius": 2.0 ** (-9 + round % 3),
        "even_to_odd": 0.01,
        "quantisation_step": 2.0**-12,
        "clips": 1,
        "nonfinite": 0,
        "step_size": 0.02 * (1 - share),
        "asked": ASKED,
        "late": round % 2,
        "bytes_up": round * 4 * REPORT,
        "bytes_down": 380_000 + round * 14_000,
        "probes": round * 4 * 520,
        "example_evaluations": round * 4 * 520 * BATCH,
        "seconds": 0.2 * round,
        "round_seconds": 0.2,
        "digest": f"{round:064x}",
    }
    if round == rounds or (evaluate_every and round % evaluate_every == 0):
        row |= {"test_loss": 0.1 + 2 * (1 - share), "test_accuracy": 0.2 + 0.75 * share}
    return row


def abandoned(row: Row) -> Row:
    """Return the row as it is when no report came."""
    nothing = dict.fromkeys(("loss", "signal_to_noise", "even_to_odd"))
    return row | nothing | {"abandoned": True, "reports": 0, "expected_cosine": 0.0, "clips": 0}


DRIVER = (
    *("asked", "late", "bytes_up", "bytes_down", "probes", "example_evaluations", "seconds"),
    *("round_seconds", "test_loss", "test_accuracy"),
)


def rebuilt(row: Row) -> Row:
    """Return what a resume makes of a round whose row a crash kept from the log."""
    return {key: value for key, value in row.items() if key not in DRIVER}


def make_rows(rounds: int, **options: Any) -> list[Row]:
    """Return the rows of a run without faults."""
    return [make_row(i, rounds, **options) for i in range(1, rounds + 1)]


MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Make a run folder: name, rows, settings, and what a crash left of one more line."""

    def make(name: str, rows: list[Row], cut: str = "", **settings: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        given = {
            "rounds": len(rows) or 1,
            "probe": {"num_directions": 512},
            "update": {"step_size": 0.02},
            "engine": {"chunk": 64, "threads": 2},
        }
        (folder / "config.toml").write_text(to_toml(resolve(given, settings)), encoding="utf-8")
        lines = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
        (folder / "metrics.jsonl").write_text(lines + cut, encoding="utf-8")
        return folder

    return make
