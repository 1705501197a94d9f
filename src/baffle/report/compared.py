"""What a comparison came to: an entry an algorithm, medians and spread over its run keys."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from baffle.drivers.compare.budget import at_budget
from baffle.drivers.compare.cells import Lines, Standing, fits, standing
from baffle.drivers.compare.resources import RESOURCES
from baffle.drivers.compare.spec import Comparison

COSTS = ("rounds", "evaluations", "gradients", "bytes_up", "bytes_down", "seconds")
TUNING = ("evaluations", "seconds")
Point = Mapping[str, float]


@dataclass(frozen=True)
class Spread:
    """A figure over run keys.

    Args:
        median, low, high: middle, least and largest.
    """

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Entry:
    """One algorithm's line.

    Args:
        name: the contender's.
        keys: run keys that are done.
        accuracy: share of the test set, of the last evaluation at or below the budget, by key.
        costs: medians of what was used up to there: `rounds`, `evaluations` (a gradient counted as
            three), `gradients` (examples differentiated, all clients), `bytes_up` and `bytes_down`
            a client, `seconds` on one thread.
        step_size: of the runs.
        tuning: `trials`, `evaluations` and `seconds` that finding it cost.
        peak, idle: a client's resident bytes at the most, and before its first round.
        curves: by key, the evaluated points.
        batch: examples a client's pass; fewer than as given where the budget asked for it.
        directions: K.
        note: why it has no figures.
    """

    name: str
    keys: tuple[int, ...]
    accuracy: Mapping[int, float]
    costs: Mapping[str, float]
    step_size: float | None
    tuning: Mapping[str, float]
    peak: float | None
    idle: float | None
    curves: Mapping[int, Sequence[Point]]
    batch: int
    directions: int
    note: str

    @property
    def spread(self) -> Spread | None:
        """Accuracy over the keys."""
        return spread(list(self.accuracy.values()))

    @property
    def differentiates(self) -> bool:
        """Whether clients take derivatives of the model."""
        return self.costs.get("gradients", 0) > 0


@dataclass(frozen=True)
class Compared:
    """A comparison as far as it is known.

    Args:
        comparison: what was asked.
        entries: best first; those without figures last.
        folder: where its results lie.
    """

    comparison: Comparison
    entries: Sequence[Entry]
    folder: Path

    @property
    def complete(self) -> bool:
        """Whether every algorithm that can run at all has a run for every key."""
        return all(e.note or len(e.keys) == len(self.comparison.keys) for e in self.entries)

    def as_json(self) -> dict[str, Any]:
        """Return everything but the curves as JSON has it."""
        from baffle.report.verdict import verdict

        c = self.comparison
        rows = [
            {k: v for k, v in asdict(e).items() if k not in ("curves", "accuracy")}
            | {"accuracy": asdict(s) if (s := e.spread) else None}
            | {"accuracy_by_key": {str(k): v for k, v in e.accuracy.items()}}
            for e in self.entries
        ]
        return {
            "equal": c.equal,
            "budget": c.budget,
            "unit": RESOURCES[c.equal].unit,
            "keys": list(c.keys),
            "tuning_trials": c.trials,
            "rows": rows,
            "verdict": verdict(self),
            "complete": self.complete,
            "folder": str(self.folder),
        }


def spread(values: Sequence[float]) -> Spread | None:
    """Return median, least and largest; None of nothing.

    Example:
        >>> spread([0.9, 0.7, 0.8])
        Spread(median=0.8, low=0.7, high=0.9)
    """
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values))


def compared(
    comparison: Comparison, lines: Lines, folder: Path, failures: Mapping[str, str] | None = None
) -> Compared:
    """Return what stored lines say.

    Args:
        comparison: what was asked.
        lines: results by cell.
        folder: where they lie.
        failures: why contenders fell out.
    """
    failed = failures or {}
    entries = [
        _entry(standing(comparison, c, lines), failed.get(c.name, ""))
        for c in comparison.contenders
    ]
    entries.sort(key=lambda e: -e.spread.median if e.spread else 1.0)
    return Compared(comparison, entries, folder)


def _entry(at: Standing, failure: str) -> Entry:
    c, runs = at.comparison, _runs(at)
    within = {key: at_budget(line["curve"], *c.measured_by) for key, line in runs.items()}
    known = {key: point for key, point in within.items() if point is not None}
    memory = at.memory or {}
    return Entry(
        name=at.contender.name,
        keys=tuple(known),
        accuracy={key: point["test_accuracy"] for key, point in known.items()},
        costs={n: statistics.median(p[n] for p in known.values()) for n in COSTS if known},
        step_size=next((line["step_size"] for line in runs.values()), None),
        tuning=_tuning(at),
        peak=memory.get("peak"),
        idle=memory.get("idle"),
        curves={key: line["curve"] for key, line in runs.items()},
        batch=_batch(at),
        directions=c.settings(at.contender, c.keys[0]).probe.num_directions,
        note=failure or _note(at),
    )


def _runs(at: Standing) -> dict[int, Mapping[str, Any]]:
    """Return the lines of the keys that are done."""
    found = {key: at.line("run", f"key {key}") for key in at.comparison.keys}
    return {key: line for key, line in found.items() if line is not None}


def _tuning(at: Standing) -> dict[str, float]:
    trials = at.trials
    spent = {name: sum(t["costs"][name] for t in trials) for name in TUNING}
    return {"trials": len(trials), **spent}


def _note(at: Standing) -> str:
    if fits(at) is False:
        what = "even a batch of one" if at.comparison.equal == "memory" else "one round"
        return f"{what} needs more than the budget"
    return ""


def _batch(at: Standing) -> int:
    return at.settings(at.comparison.keys[0], 1, 1.0, 0).probe.batch
