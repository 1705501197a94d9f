"""Accuracy by activation, norm and average, and their paired differences, as Markdown."""

from __future__ import annotations

import itertools

from experiments.harness import Results, interval, spread, table
from experiments.harness.tables import UNKNOWN, cost, percent, points

OURS = "hardswish"
ACTIVATIONS = (OURS, "relu", "selu")
NORMS = ("none", "group")
NAMES = {"hardswish": "Hardswish", "relu": "ReLU", "selu": "SELU"}
NORM_NAMES = {"none": "no norm", "group": "GroupNorm"}
AVERAGED, PLAIN = "test_accuracy", "plain_accuracy"


def title(model: str) -> str:
    """Return a model's name for people.

    Example:
        >>> title("relu, group")
        'ReLU, GroupNorm'
    """
    activation, norm = model.split(", ")
    return f"{NAMES[activation]}, {NORM_NAMES[norm]}"


def accuracy(results: Results) -> str:
    """Return, model by model, test accuracy with and without averaged weights."""
    heads = ("schedule", "model", "keys", "averaged weights", "last weights", "step size")
    rows = []
    for schedule, model in _settings(results):
        found = results.select(schedule=schedule, model=model)
        steps = [r.line["summary"]["choices"]["step_size"] for r in found]
        rows.append(
            [
                schedule,
                title(model),
                str(len(found)),
                _spread(found.figures(AVERAGED)),
                _spread(found.figures(PLAIN)),
                f"{min(steps):g} to {max(steps):g}",
            ]
        )
    return table(heads, rows)


def _settings(results: Results) -> list[tuple[str, str]]:
    pairs = itertools.product(
        ("cosine", "constant"), (f"{a}, {n}" for n in NORMS for a in ACTIVATIONS)
    )
    return [(s, m) for s, m in pairs if len(results.select(schedule=s, model=m))]


def _spread(shares: list[float]) -> str:
    found = spread(shares)
    return f"{percent(found.median)} ({percent(found.least)} to {percent(found.largest)})"


def paired(results: Results) -> str:
    """Return the differences that the guideline is about, the same keys on both sides."""
    heads = ("difference, points", "pairs", "mean ± 95 % interval", "least to largest")
    cosine = results.select(schedule="cosine")
    rows = [
        _row(
            f"Hardswish minus {NAMES[other]}, {NORM_NAMES[norm]}", _activation(cosine, other, norm)
        )
        for norm in NORMS
        for other in ACTIVATIONS[1:]
    ]
    rows += [
        _row(f"GroupNorm minus none, {NAMES[activation]}", _norm(cosine, activation))
        for activation in ACTIVATIONS
    ]
    for schedule in ("cosine", "constant"):
        rows.append(
            _row(
                f"averaged minus last weights, {schedule} schedule, Hardswish",
                _average(results.select(schedule=schedule)),
            )
        )
    return table(heads, rows)


def _activation(results: Results, other: str, norm: str) -> list[float]:
    return results.paired(AVERAGED, "model", f"{OURS}, {norm}", f"{other}, {norm}")


def _norm(results: Results, activation: str) -> list[float]:
    return results.paired(AVERAGED, "model", f"{activation}, group", f"{activation}, none")


def _average(results: Results) -> list[float]:
    return [
        r.figure(AVERAGED) - r.figure(PLAIN)
        for r in results
        if str(r.cell.labels["model"]).startswith(OURS)
    ]


def _row(name: str, pairs: list[float]) -> list[str]:
    mean, ends = interval(pairs), spread(pairs)
    between = f"{points(ends.least)} to {points(ends.largest)}" if pairs else UNKNOWN
    shown = f"{points(mean.mean)} ± {percent(mean.half)}"
    return [name, str(len(pairs)), shown, between]


def seconds(results: Results) -> str:
    """Return what the runs took."""
    return cost(results, "schedule")
