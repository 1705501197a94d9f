"""What a run came to, as one value: for people as a table, for programs as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from baffle.protocol.codec import report_size
from baffle.report.dimension import dimension_of
from baffle.report.revealed import revealed
from baffle.report.runs import Run, read_run

AUTO = "auto"


@dataclass(frozen=True)
class Summary:
    """A run's figures at its last stored round. Unknown floats are nan, other unknowns None.

    Args:
        algorithm, model, data: names.
        clients: registered.
        key: run key.
        rounds, rounds_planned: done, and asked for.
        test_accuracy: share from 0 to 1, of the averaged weights where the run averages.
        test_loss: of the same evaluation.
        test_round: round of that evaluation.
        seconds: wall clock of all rounds, evaluations not included.
        probes: losses that all clients evaluated.
        example_evaluations: those times the examples of each.
        gradient_examples: examples that autodiff differentiated at; None where nothing does.
        bytes_up, bytes_down: of all clients, as encoded.
        bytes_up_per_report: of the last round's reports.
        dimension: d, entries that the directions move.
        choices: what measurements chose: `radius` and `quantisation_step` as [least, largest],
            `estimator` as rounds by name, `step_size` at the schedule's top, `chunk`, `threads`.
        faults: counts: `abandoned` rounds, reports `missed` when their round closed, of those
            `refused_late`, derivatives clipped (`clips`), directions left out (`nonfinite`).
        privacy: `epsilon`, `delta` and `unit` of what was promised and spent; None for nothing.
        revealed: who learned what, in sentences.
        digest: SHA-256 of the training state, hexadecimal.
        run_dir: run folder.
    """

    algorithm: str
    model: str
    data: str
    clients: int
    key: int
    rounds: int
    rounds_planned: int
    test_accuracy: float
    test_loss: float
    test_round: int | None
    seconds: float
    probes: int | None
    example_evaluations: int | None
    gradient_examples: int | None
    bytes_up: int | None
    bytes_down: int | None
    bytes_up_per_report: int
    dimension: int | None
    choices: dict[str, Any]
    faults: dict[str, int]
    privacy: dict[str, Any] | None
    revealed: dict[str, str]
    digest: str | None
    run_dir: Path

    def as_json(self) -> str:
        """Return one JSON object on one line; null for what is not known.

        Example:
            >>> json.loads(summarise(Path("runs/first")).as_json())["rounds"]  # doctest: +SKIP
            400
        """
        values = dataclasses.asdict(self) | {"run_dir": str(self.run_dir)}
        return json.dumps({k: _plain(v) for k, v in values.items()}, allow_nan=False)

    def as_table(self) -> RenderableType:
        """Return the figures for a terminal of 80 columns or more."""
        from baffle.report.tables import summary_table

        return summary_table(self)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def summarise(folder: Path) -> Summary:
    """Return the summary of a run folder, from config.toml and metrics.jsonl alone.

    Args:
        folder: run folder, finished or not.

    Raises:
        LedgerError: the folder is no run.
        ConfigError: its configuration cannot be read.

    Example:
        >>> summarise(Path("runs/first")).test_accuracy  # doctest: +SKIP
        0.963
    """
    return summary_of(read_run(folder))


def summary_of(run: Run) -> Summary:
    """Return the summary of a run that is read already."""
    settings, rows = run.settings, run.rows
    tested = [row for row in rows if row.get("test_accuracy") is not None]
    newest = rows[-1] if rows else {}
    return Summary(
        algorithm=settings.algorithm,
        model=settings.model.name,
        data=settings.data.name,
        clients=settings.federation.clients,
        key=settings.key,
        rounds=newest.get("round", 0),
        rounds_planned=settings.rounds,
        test_accuracy=_float(run.last("test_accuracy")),
        test_loss=_float(run.last("test_loss")),
        test_round=tested[-1]["round"] if tested else None,
        seconds=_float(run.last("seconds")),
        probes=_int(run.last("probes")),
        example_evaluations=_int(run.last("example_evaluations")),
        gradient_examples=_int(run.last("gradient_examples")),
        bytes_up=_int(run.last("bytes_up")),
        bytes_down=_int(run.last("bytes_down")),
        bytes_up_per_report=_report_bytes(run),
        dimension=_int(run.last("dimension")) or dimension_of(rows),
        choices=_choices(run),
        faults=_faults(run),
        privacy=_privacy(run),
        revealed=dict(revealed(run).rows()),
        digest=newest.get("digest"),
        run_dir=run.folder,
    )


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _int(value: float | None) -> int | None:
    return None if value is None else int(value)


def _report_bytes(run: Run) -> int:
    floats = run.last("bytes_up_per_report")  # a baseline's rows say it
    if floats is not None:
        return int(floats)
    probe = run.settings.probe
    directions = run.last("num_directions") or probe.num_directions
    return report_size(int(directions) * probe.num_local_steps, run.settings.quantisation.bits)


def _choices(run: Run) -> dict[str, Any]:
    engine, step_size = run.settings.engine, run.settings.update.step_size
    estimators = Counter(row["estimator"] for row in run.rows)
    return {
        "radius": _range(run, "radius"),
        "estimator": dict(sorted(estimators.items())),
        "quantisation_step": _range(run, "quantisation_step"),
        "step_size": max(run.known("step_size"), default=None) if step_size == AUTO else step_size,
        "chunk": engine.chunk or None,
        "threads": engine.threads or None,
    }


def _privacy(run: Run) -> dict[str, Any] | None:
    p = run.settings.privacy
    if p.unit == "none":
        return None
    return {"epsilon": run.last("epsilon") or 0.0, "delta": p.delta, "unit": p.unit}


def _range(run: Run, name: str) -> list[float] | None:
    values = list(run.known(name))
    return [min(values), max(values)] if values else None


def _faults(run: Run) -> dict[str, int]:
    return {
        "abandoned": sum(row["abandoned"] for row in run.rows),
        "missed": sum(row["asked"] - row["reports"] for row in run.rows if "asked" in row),
        "refused_late": int(sum(run.known("late"))),
        "clips": int(sum(run.known("clips"))),
        "nonfinite": int(sum(run.known("nonfinite"))),
    }
