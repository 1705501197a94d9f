"""Errors beside what theory says, and accuracy by K, as Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import Any

from experiments.harness import Results, spread, table
from experiments.harness.results import Result
from experiments.harness.tables import UNKNOWN, percent

DIRECTIONS, ROUNDS = 51_200, 100  # of the runs at equal evaluations; of those at equal rounds
SIZES = (32, 128, 512, 2048)
WHEN = ("first", "trained")


def errors(results: Results) -> str:
    """Return the table of C by model, kind and state: all K of all keys together."""
    heads = ["model", "d", "weights", "kind", "keys", "K", "C measured", "C expected"]
    heads.append("cosine over √(K/(K+d))")
    rows = []
    for model, when, kind in _groups(results):
        found = results.select(what="error", model=model, when=when, kind=kind)
        lines = [r.line["extra"] for r in found]
        d, rooms = lines[0]["d"], [row for line in lines for row in line["errors"]]
        sizes = sorted({row["K"] for row in rooms})
        rows.append(
            [
                model,
                f"{d:,}",
                when,
                kind,
                str(len(lines)),
                f"{sizes[0]} to {sizes[-1]:,}",
                _spread([constant(row, d) for row in rooms if row["K"] >= 128]),
                f"{expected(kind, d):.4f}",
                _spread([turned(row, d) for row in rooms if row["K"] >= 128]),
            ]
        )
    return table(heads, rows)


def by_directions(results: Results) -> str:
    """Return the table of errors by K of the smallest model, beside what is expected."""
    found = results.select(what="error", model="mlp")
    sizes, rows = _sizes(found), []
    for when in WHEN:
        for kind in dict.fromkeys(r.cell.labels["kind"] for r in found):
            lines = [r.line["extra"] for r in found.select(when=when, kind=kind)]
            if lines:
                rows.append([when, str(kind), *_errors(lines, str(kind), sizes)])
    return table(["weights", "kind", *(f"K = {K:,}" for K in sizes)], rows)


def _errors(lines: list[dict[str, Any]], kind: str, sizes: list[int]) -> Iterator[str]:
    d = lines[0]["d"]
    for K in sizes:
        found = [row["error"] for line in lines for row in line["errors"] if row["K"] == K]
        shown = f"{statistics.fmean(found):.3g}" if found else UNKNOWN
        yield f"{shown} / {expected(kind, d) * d / K:.3g}"


def radii(results: Results) -> str:
    """Return the table of C and of the bias by radius."""
    places = sorted({int(r.cell.labels["radius"]) for r in by_radius(results)})
    rows = []
    for model in ("mlp", "lenet5"):
        for when in WHEN:
            for estimator in ("forward", "central"):
                some = by_radius(results).select(model=model, when=when, estimator=estimator)
                if not len(some):
                    continue
                known = {int(r.cell.labels["radius"]): r.line["extra"] for r in some}
                for name, shown in (("C", _constant), ("bias²", _bias)):
                    if name == "C" or model == "mlp":
                        cells = [shown(known[p]) if p in known else UNKNOWN for p in places]
                        rows.append([model, when, estimator, name, *cells])
    return table(["model", "weights", "differences", "", *(f"2^{p}" for p in places)], rows)


def by_radius(results: Results) -> Results:
    """Return key 0's rank-one cells at all radii, those of the first table among them."""
    return Results(
        [
            r
            for r in results
            if r.cell.labels["what"] in ("error", "radius")
            and (r.cell.labels["kind"], r.cell.labels["key"]) == ("rank_one", 0)
            and r.cell.labels["model"] in ("mlp", "lenet5")
        ]
    )


def mean_constant(extra: dict[str, Any]) -> float:
    """Return C at 512 directions: large enough to be sharp, small beside any bias."""
    return next(constant(row, extra["d"]) for row in extra["errors"] if row["K"] == 512)


def _constant(extra: dict[str, Any]) -> str:
    return f"{mean_constant(extra):.3g}"


def _bias(extra: dict[str, Any]) -> str:
    return f"{extra['bias']:.3f}"


def accuracy(results: Results) -> str:
    """Return the table of trained runs; the step size with the least training loss of each row."""
    heads = ["equal", "K", "rounds", "step size", "example evaluations, millions"]
    heads += ["accuracy, %: median (least to largest)", "keys"]
    rows = []
    for what in ("evaluations", "rounds"):
        for K in SIZES:
            found = runs(results, what, K)
            if len(found):
                rows.append([what, str(K), *_trained(chosen(found))])
    return table(heads, rows)


def runs(results: Results, what: str, K: int) -> Results:
    """Return the runs of a row; one K is in both parts and was run once."""
    both = K * ROUNDS == DIRECTIONS
    return results.select(what="evaluations" if both else what, K=K)


def chosen(found: Results) -> Results:
    """Return the runs of the step size whose median training loss at the end is least."""
    steps = dict.fromkeys(r.cell.labels["step"] for r in found)
    losses = {step: statistics.median(_loss(r) for r in found.select(step=step)) for step in steps}
    return found.select(step=min(losses, key=lambda step: losses[step]))


def _loss(result: Result) -> float:
    found = result.figure("training_loss")
    return math.inf if math.isnan(found) else found


def _trained(found: Results) -> list[str]:
    of_keys = spread(found.figures("test_accuracy"))
    shown = f"{percent(of_keys.median)} ({percent(of_keys.least)} to {percent(of_keys.largest)})"
    first = found.items[0]
    evaluations = statistics.median(found.figures("example_evaluations")) / 1e6
    rounds = f"{first.figure('rounds'):.0f}"
    return [rounds, str(first.cell.labels["step"]), f"{evaluations:.2f}", shown, str(len(found))]


def expected(kind: str, d: int) -> float:
    """Return C of a linear loss: (d + 1)/d for Gaussians, (d - 1)/d for ±1.

    Example:
        >>> expected("gaussian", 10), expected("rank_one", 10)
        (1.1, 0.9)
    """
    return (d + 1) / d if kind == "gaussian" else (d - 1) / d


def constant(row: dict[str, float], d: int) -> float:
    """Return C of E|ĝ - g|² = C (d/K) |g|²."""
    return row["error"] * row["K"] / d


def turned(row: dict[str, float], d: int) -> float:
    """Return the cosine over √(K/(K + d))."""
    return row["cosine"] / math.sqrt(row["K"] / (row["K"] + d))


def _groups(results: Results) -> list[tuple[Any, Any, Any]]:
    each = (r.cell.labels for r in results.select(what="error"))
    return list(dict.fromkeys((one["model"], one["when"], one["kind"]) for one in each))


def _sizes(results: Results) -> list[int]:
    return sorted({row["K"] for r in results for row in r.line["extra"]["errors"]})


def _spread(values: list[float]) -> str:
    found = spread(values)
    return f"{found.median:.3f} ({found.least:.3f} to {found.largest:.3f})"
