"""What each round came to, as one flat row for people and plots; running totals included."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any

from baffle.estimators.diagnostics import quality
from baffle.ledger import durable
from baffle.protocol import Outcome, Plan

FILE, TABLE = "metrics.jsonl", "metrics.csv"
Row = dict[str, Any]


def round_row(plan: Plan, outcome: Outcome, dimension: int, noise: float = 0.0) -> Row:
    """Return a round's figures that plan and outcome alone tell.

    Args:
        plan, outcome: of the round.
        dimension: d, entries that the directions move.
        noise: variance of a summed integer's privacy noise.
    """
    reports = outcome.reports
    sets, squares = plan.sets, outcome.weight_squares
    effective = outcome.weight**2 / squares / sets if squares else 0.0  # clients a set
    values, weight = outcome.values, outcome.weight / sets
    mean_square = float((values.astype(float) ** 2).mean()) / weight**2 if len(values) else 0.0
    directions = plan.num_directions * sets
    figures = quality(
        mean_square,
        outcome.mean_energy(outcome.energy),
        effective,
        directions,
        dimension,
        noise / weight**2 if len(values) else 0.0,
    )
    return {
        "round": plan.round + 1,
        "loss": outcome.mean_loss,
        "reports": reports,
        "abandoned": outcome.abandoned,
        "expected_cosine": figures.expected_cosine,
        "signal_to_noise": figures.signal_to_noise,
        "derivative_rms": figures.derivative_rms * 2.0**plan.step_exponent,
        "estimator": plan.estimator.name,
        "num_directions": plan.num_directions,
        "groups": plan.groups,
        "radius": plan.radius,
        "even_to_odd": outcome.even / outcome.odd if outcome.odd else math.nan,
        "quantisation_step": 2.0**plan.step_exponent,
        "clips": outcome.clips,
        "nonfinite": outcome.nonfinite,
        "step_size": plan.step_size,
    }


@dataclass
class Totals:
    """Running totals of a run."""

    probes: int = 0
    example_evaluations: int = 0
    seconds: float = 0.0
    gradient_examples: int = 0  # of baselines that differentiate


class MetricsLog:
    """The run folder's metrics, one JSON object a line, in step with the ledger.

    Args:
        folder: run folder.
        upto: the ledger's last round; lines after it (of a killed process) are dropped.
    """

    def __init__(self, folder: Path, upto: int = 0) -> None:
        self.folder = folder
        self.rows = [row for row in read_metrics(folder) if row["round"] <= upto]
        self._replace()

    def add(self, row: Row) -> None:
        """Append a round's row.

        Raises:
            OSError: the disk would not take it; nothing is there of it, try again later.
        """
        with (self.folder / FILE).open("ab", buffering=0) as file:
            whole = file.tell()
            try:
                _write_all(file, _line(row).encode())
            except OSError:
                file.truncate(whole)
                raise
        self.rows.append(row)

    def _replace(self) -> None:
        """Write all rows anew; a crash or a power cut meanwhile leaves the old file."""
        durable.write(self.folder / FILE, "".join(_line(row) for row in self.rows).encode())

    def write_table(self) -> None:
        """Write all rows as CSV."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with (self.folder / TABLE).open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            table.writerows(_plain(row) for row in self.rows)


def _write_all(file: RawIOBase, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def read_metrics(folder: Path) -> list[Row]:
    """Return the rows of a run folder; a last line that a crash cut short is left out."""
    path = folder / FILE
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _line(row: Row) -> str:
    return json.dumps(_plain(row)) + "\n"


def _plain(row: Row) -> Row:
    """Return the row with null for what is not a finite number: JSON has no nan."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
