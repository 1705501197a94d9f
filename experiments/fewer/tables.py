"""Each recipe at its own best step size, chosen by training loss; and what was tried besides."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from experiments.harness import Results, interval, spread, table
from experiments.harness.tables import UNKNOWN, percent, points

KEYS = 3
RECIPES = (
    "defaults",
    "drawn, not picked",
    "B = 32, drawn",
    "K = 512",
    "radii by tensor",
    "K and B as measured",
    "drawn, K and B as measured",
    "one second moment a tensor",
    "own directions",
)
WHERE = {"digits": "digits, MLP", "mnist": "MNIST, convnet"}


def best(results: Results, recipe: str) -> Results:
    """Return a recipe's runs at the step size with the least mean training loss."""
    return _at_best_step(results.select(recipe=recipe))


def _at_best_step(found: Results) -> Results:
    sizes = sorted({r.cell.labels["step"] for r in found})
    return min((found.select(step=size) for size in sizes), key=mean_loss) if sizes else found


def mean_loss(results: Results) -> float:
    """Return the mean training loss at the end."""
    return statistics.fmean(r.line["extra"]["loss"] for r in results)


def accuracies(results: Results) -> dict[int, float]:
    """Return test accuracy by key."""
    return {int(r.cell.labels["key"]): float(r.line["summary"]["test_accuracy"]) for r in results}


def probes(results: Results) -> str:
    """Return the table of runs with real probes."""
    heads = (
        "data",
        "recipe",
        "step size",
        "keys",
        "training loss at the end",
        "test accuracy, %: median (least to largest)",
        "minus defaults, points: mean ± 95 %",
        "K, first and last",
    )
    rows = [
        _row(results.select(what=what), what, recipe)
        for what in WHERE
        for recipe in RECIPES
        if len(results.select(what=what, recipe=recipe))
    ]
    return table(heads, rows)


def _row(results: Results, what: str, recipe: str) -> list[str]:
    found = best(results, recipe)
    mine, base = accuracies(found), accuracies(best(results, RECIPES[0]))
    of_keys = spread(list(mine.values()))
    directions = [r.line["extra"]["num_directions"] for r in found]
    return [
        WHERE[what],
        recipe,
        f"{found.items[0].cell.labels['step']:g}",
        str(len(found)),
        f"{mean_loss(found):.3f}",
        f"{percent(of_keys.median)} ({percent(of_keys.least)} to {percent(of_keys.largest)})",
        UNKNOWN if recipe == RECIPES[0] else _difference(mine, base),
        f"{directions[0][0]}, {statistics.median(d[-1] for d in directions):g}",
    ]


def _difference(mine: dict[int, float], base: dict[int, float]) -> str:
    pairs = interval([mine[key] - base[key] for key in sorted(mine.keys() & base.keys())])
    return f"{points(pairs.mean)} ± {percent(pairs.half)}"


def rounds(results: Results) -> str:
    """Return the table of sizes of a round and of its batch, each at its best step size."""
    found = results.select(what="rounds")
    pairs = dict.fromkeys((r.cell.labels["E"], r.cell.labels["B"]) for r in found)
    heads = ("evaluations a round", "B", "K", "step size", "training loss at the end",
             "test accuracy, %")  # fmt: skip
    rows = []
    for whole, batch in pairs:
        shown = _at_best_step(found.select(E=whole, B=batch))
        step = shown.items[0].cell.labels["step"]
        rows.append(
            [f"{whole:,}", str(batch), f"{int(whole) // int(batch):,}", f"{step:g}", *_ends(shown)]
        )
    return table(heads, rows)


def linear(results: Results) -> str:
    """Return the table of single changes in the linear regime."""
    heads = ("data", "what", "training loss at the end", "test accuracy, %", "log₂ of the scales")
    rows = [
        _simulated(results.select(what="linear", data=data, recipe=recipe), data, recipe)
        for data in WHERE
        for recipe in recipes(results.select(what="linear", data=data))
    ]
    return table(heads, rows)


def recipes(results: Results) -> list[str]:
    """Return the names of what was changed, in the order of the cells."""
    return list(dict.fromkeys(str(r.cell.labels["recipe"]) for r in results))


def _simulated(results: Results, data: str, recipe: str) -> list[str]:
    scales = results.items[0].line["extra"]["scales"]
    name = {"digits": "digits, MLP", "mnist": "MNIST, LeNet 26,730"}[data]
    return [name, recipe, *_ends(results), " ".join(f"{scale:+d}" for scale in scales)]


def _ends(results: Results) -> list[str]:
    """Return loss and accuracy: the mean over keys, and each."""
    extra = [r.line["extra"] for r in results]
    return [
        _each([e["loss"] for e in extra], "{:.3f}"),
        _each([100 * e["test_accuracy"] for e in extra], "{:.1f}"),
    ]


def _each(values: Sequence[float], shape: str) -> str:
    return f"{shape.format(statistics.fmean(values))} ({', '.join(map(shape.format, values))})"
