"""Accuracy, evaluations and errors by the number of groups, as Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator

from experiments.harness import Results, interval, spread, table
from experiments.harness.results import Result
from experiments.harness.study import Label
from experiments.harness.tables import UNKNOWN, percent, points

CLIENTS, MANY, BATCH = 20, 60, 8
ALPHAS = (0.1, 1.0)
ALIKE = "IID"
DATA: tuple[Label, ...] = (*ALPHAS, ALIKE)
DIRECTIONS = (64, 512)
GROUPS = (1, 2, 4, 5, 10, 20)
TARGET = 0.9
Row = dict[str, float]


def accuracy(results: Results) -> str:
    """Return the table of trained runs."""
    heads = (
        "data",
        "K",
        "G",
        "keys",
        "accuracy, %: median (least to largest)",
        "minus G = 1, points: mean ± 95 % interval",
        f"evaluations to {TARGET:.0%}, millions: median",
        "keys that reach it",
    )
    found = results.select(what="training")
    rows = [
        _trained(found.select(alpha=alpha, K=K), G)
        for alpha in DATA
        for K in DIRECTIONS
        for G in GROUPS
        if len(found.select(alpha=alpha, K=K, G=G))
    ]
    return table(heads, rows)


def _trained(results: Results, G: int) -> list[str]:
    found = results.select(G=G)
    labels = found.items[0].cell.labels
    of_keys = spread(found.figures("test_accuracy"))
    pairs = interval(results.paired("test_accuracy", "G", G, base=1))
    reached = [evaluations_to(TARGET, result) for result in found]
    median = statistics.median(reached)
    return [
        data_name(labels["alpha"]),
        str(labels["K"]),
        str(G),
        str(len(found)),
        f"{percent(of_keys.median)} ({percent(of_keys.least)} to {percent(of_keys.largest)})",
        UNKNOWN if G == 1 else f"{points(pairs.mean)} ± {percent(pairs.half)}",
        UNKNOWN if math.isinf(median) else f"{median / 1e6:.2f}",
        f"{sum(map(math.isfinite, reached))} of {len(reached)}",
    ]


def data_name(alpha: Label) -> str:
    """Return how clients' data are said to be."""
    return f"{ALIKE}, B = 64" if alpha == ALIKE else f"α = {alpha}"


def evaluations_to(target: float, result: Result) -> float:
    """Return the example evaluations of all clients until an accuracy is reached; else inf."""
    each = result.figure("example_evaluations") / result.figure("rounds")
    return next(
        (round * each for round, share in result.line["curve"] if share >= target), math.inf
    )


def error(results: Results) -> str:
    """Return the table of estimates at weights that do not move."""
    found = results.select(what="still")
    return _by_groups(found, ("h²", "b²"), _still, (CLIENTS, MANY))


def along(results: Results) -> str:
    """Return the table of estimates along the trained runs."""
    found = results.select(what="training")
    return _by_groups(found, ("h², first and last", "b², first and last"), _moving, (CLIENTS,))


def _by_groups(
    results: Results,
    noises: tuple[str, str],
    cell: Callable[[list[Row]], str],
    rosters: tuple[int, ...],
) -> str:
    heads = ["asked", "data", "K", *noises, *(f"G = {G}" for G in GROUPS)]
    rows = []
    for of in rosters:
        for alpha in DATA:
            for K in DIRECTIONS:
                found = results.select(of=of, alpha=alpha, K=K)
                if len(found):
                    cells = [cell(list(estimates(found.select(G=G)))) for G in GROUPS]
                    noise = [_noise(found, name) for name in ("between", "within")]
                    rows.append([f"{CLIENTS} of {of}", data_name(alpha), str(K), *noise, *cells])
    return table(heads, rows)


def estimates(results: Results) -> Iterator[Row]:
    """Yield what was measured of single estimates."""
    for result in results:
        yield from result.line["extra"]["estimates"]


def mean(rows: list[Row], name: str) -> float:
    """Return the mean of a figure; nan if there is none."""
    return statistics.fmean(row[name] for row in rows) if rows else math.nan


def _noise(results: Results, name: str) -> str:
    ends = [
        statistics.median(each.line["extra"]["estimates"][place][name] for each in results)
        for place in (0, -1)
    ]
    return " to ".join(dict.fromkeys(f"{end:.1f}" for end in ends))


def _still(rows: list[Row]) -> str:
    if not rows:
        return UNKNOWN
    return " / ".join(f"{mean(rows, name):.3g}" for name in ("error", "dealt", "design"))


def _moving(rows: list[Row]) -> str:
    if not rows:
        return UNKNOWN
    ratios = [statistics.median(r["error"] / r[name] for r in rows) for name in ("dealt", "design")]
    return " / ".join(f"{ratio:.2f}" for ratio in ratios)
