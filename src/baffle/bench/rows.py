"""From measured rates to a row of `throughput`, as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from baffle.bench.sides import BASE, Case, Setting
from baffle.bench.timing import spread

# Training steps that K probes are compared with: a side, and what the row calls it.
STEPS = {
    "backward": "best_chunk",
    "backward_at_batch": "batch",
    "checkpointed": "checkpointed",
}


@dataclass(frozen=True)
class Result:
    """A side at its best setting: rows a second, one number a repeat, and rows a timed call."""

    setting: Setting
    rates: list[float]
    rows: int

    @property
    def rate(self) -> float:
        """The median."""
        return statistics.median(self.rates)


@dataclass(frozen=True)
class Measured:
    """What came of a case.

    Attributes:
        results: by side.
        failed: why a side could not run.
        route: that the probes took.
    """

    results: Mapping[str, Result]
    failed: Mapping[str, str]
    route: str


def row(case: Case, found: Measured) -> dict[str, Any]:
    """Return a row.

    Returns:
        Of the case: model, batch, directions, device. Of the probes: threads, chunk (points a pass,
        0: the engine's own choice) and route. `ratio` by side: median examples a second over plain
        inference's, None for a side that failed, and `failed` says why. `spread` by side: the
        distance between the quartiles of the ratios of single repeats, over their median.
        `training_steps`: how many steps K probes cost, see `training_steps`. `settings` and
        `timed_rows` by side: what the search found, and rows in a timed call. `precision` and
        `compiled`: how probes were evaluated.
    """
    results, ours = found.results, found.results["ours"].setting
    rates = {name: result.rate for name, result in results.items()}
    return {
        "model": case.subject.name,
        "batch": case.examples,
        "directions": case.directions,
        "device": case.device,
        "precision": case.precision,
        "compiled": case.compiled,
        "threads": ours.threads,
        "chunk": ours.chunk,
        "route": found.route,
        "inference_examples_per_second": rates[BASE],
        "ratio": _ratios(rates, found.failed),
        "spread": _spreads(results),
        "training_steps": training_steps(rates, case.directions),
        "settings": {name: asdict(result.setting) for name, result in results.items()},
        "timed_rows": {name: result.rows for name, result in results.items()},
        "repeats": len(results[BASE].rates),
        "failed": dict(found.failed),
    }


def _ratios(rates: Mapping[str, float], failed: Mapping[str, str]) -> dict[str, float | None]:
    known = {name: rate / rates[BASE] for name, rate in rates.items() if name != BASE}
    return {**known, **dict.fromkeys(failed)}


def _spreads(results: Mapping[str, Result]) -> dict[str, float]:
    """Return the spread of each side's ratio, and of inference's own rate."""
    base = results[BASE].rates
    found = {BASE: spread(base)}
    for name, result in results.items():
        if name != BASE:
            found[name] = spread([a / b for a, b in zip(result.rates, base, strict=True)])
    return found


def training_steps(rates: Mapping[str, float], directions: int) -> dict[str, float | None]:
    """Return how many training steps on B rows cost as much as K probes of B rows each.

    K/rate of probes over 1/rate of training, rows cancelling. The paper says K/5. "best_chunk" has
    training at its best rate, in steps on more rows than B; "batch" is steps on B rows, as a client
    takes them; "checkpointed" has the best rate with activations computed twice.

    Args:
        rates: rows a second by side.
        directions: K.

    Example:
        >>> training_steps({"ours": 8.0, "backward": 2.0}, 32)["best_chunk"]
        8.0
    """
    return {
        title: directions * rates[name] / rates["ours"] if name in rates else None
        for name, title in STEPS.items()
    }
