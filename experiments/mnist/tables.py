"""Accuracy, evaluations and bytes, as Markdown."""

from __future__ import annotations

import math

from experiments.harness import Results, spread, table
from experiments.harness.results import Result
from experiments.harness.tables import UNKNOWN, cost, percent

TARGET = 0.9517  # what the paper reports after 20 rounds
CLIENTS = 10
PRODUCTS = {"lenet": 6_963_840, "convnet": 97_088}  # a row's multiply-adds; a test counts them
FLOAT_BYTES = 4
LENET = (
    "ours 11.1 M",
    "torch's first weights 11.1 M",
    "measured radius 11.1 M",
    "reference 11.1 M",
    "ours 33 M",
    "reference 33 M",
)
ROUNDS = ("20 rounds", "FedZO 20 rounds", "FedZO 1000 rounds")


def lenet(results: Results) -> str:
    """Return what the paper's LeNet comes to at equal evaluations."""
    heads = ["run", "keys", "evaluations, millions", "test accuracy, %", f"to {TARGET:.2%}"]
    rows = [_at_budget(results.select(what=w), w) for w in LENET if len(results.select(what=w))]
    return table(heads, rows)


def headline(results: Results) -> str:
    """Return key by key what the small model comes to."""
    heads = [
        "key",
        "test accuracy, %",
        f"evaluations to {TARGET:.2%}, millions",
        "of the whole run",
        "multiply-adds a client, 10^9",
        "seconds",
    ]
    return table(heads, [_of_key(r) for r in results.select(what="headline")])


def in_rounds(results: Results) -> str:
    """Return what a number of rounds comes to, and what it costs in evaluations and bytes."""
    heads = [
        "run",
        "keys",
        "rounds",
        "test accuracy, %",
        "evaluations, millions",
        "bytes up a client a round",
        "the model's weights, bytes",
    ]
    rows = [_by_rounds(results.select(what=w), w) for w in ROUNDS if len(results.select(what=w))]
    return table(heads, rows)


def seconds(results: Results) -> str:
    """Return what the runs took."""
    return cost(results, "what")


def evaluations_to(target: float, result: Result) -> float:
    """Return the example evaluations of all clients until an accuracy is reached; else inf."""
    each = result.figure("example_evaluations") / result.figure("rounds")
    return min((r * each for r, share in result.line["curve"] if share >= target), default=math.inf)


def _at_budget(found: Results, name: str) -> list[str]:
    reached = [evaluations_to(TARGET, r) for r in found]
    return [
        name,
        str(len(found)),
        f"{spread(found.figures('example_evaluations')).median / 1e6:.1f}",
        _accuracy(found),
        _millions(max(reached)),
    ]


def _of_key(result: Result) -> list[str]:
    spent = result.figure("example_evaluations")
    products = spent / CLIENTS * PRODUCTS["convnet"]
    return [
        str(result.cell.labels["key"]),
        percent(result.figure("test_accuracy")),
        _millions(evaluations_to(TARGET, result)),
        f"{spent / 1e6:.1f}",
        f"{products / 1e9:,.0f}",
        f"{result.line['wall_seconds']:.0f}",
    ]


def _by_rounds(found: Results, name: str) -> list[str]:
    return [
        name,
        str(len(found)),
        f"{found.figures('rounds')[0]:,.0f}",
        _accuracy(found),
        f"{spread(found.figures('example_evaluations')).median / 1e6:.1f}",
        f"{found.figures('bytes_up_per_report')[0]:,.0f}",
        f"{found.figures('dimension')[0] * FLOAT_BYTES:,.0f}",
    ]


def _accuracy(found: Results) -> str:
    shares = spread(found.figures("test_accuracy"))
    if len(found) == 1:
        return percent(shares.median)
    return f"{percent(shares.median)} ({percent(shares.least)} to {percent(shares.largest)})"


def _millions(evaluations: float) -> str:
    return UNKNOWN if math.isinf(evaluations) else f"{evaluations / 1e6:.1f}"
