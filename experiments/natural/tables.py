"""Accuracy of all and of the worst decile of people, norms, and step sizes, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from experiments.harness import Results, interval, spread, table
from experiments.harness.tables import UNKNOWN, percent, points
from experiments.natural.design import BAFFLE, BLOCKS, DIVIDED, FEDAVG, IID, NORMS, SIGNALS
from experiments.participation.steps import as_text, tried


def divided(results: Results) -> str:
    """Return the table of divisions."""
    heads = (
        "data",
        "algorithm",
        "clients are",
        "accuracy, %: median (least to largest)",
        "minus IID, points: mean ± 95 % interval",
        "worst decile of people, %: median",
        "evaluations, millions",
        "gradients of examples, millions",
        "keys",
    )
    return table(heads, _divided(results.select(what=DIVIDED)))


def _divided(found: Results) -> Iterator[list[str]]:
    for block in BLOCKS:
        for algorithm in (BAFFLE, FEDAVG):
            same = found.select(data=block.data, algorithm=algorithm)
            for way in block.ways:
                runs = same.select(way=way)
                if len(runs):
                    pairs = interval(same.paired("test_accuracy", "way", way, base=IID))
                    minus = f"{points(pairs.mean)} ± {percent(pairs.half)}"
                    shown = UNKNOWN if way == IID else minus
                    yield [block.data, algorithm, way, *_accuracy(runs, shown), *_cost(runs)]


def norms(results: Results) -> str:
    """Return the table of norms."""
    heads = (
        "algorithm",
        "norm",
        "accuracy, %: median (least to largest)",
        "worst decile of people, %: median",
        "loss on the train rows: median",
        "keys",
    )
    found = results.select(what=NORMS)
    rows = [
        [algorithm, norm, *_of_norm(found.select(algorithm=algorithm, norm=norm))]
        for algorithm in (BAFFLE, FEDAVG)
        for norm in SIGNALS.norms
        if len(found.select(algorithm=algorithm, norm=norm))
    ]
    return table(heads, rows)


def steps(results: Results) -> str:
    """Return the table of losses on the train rows by step size, the least in bold."""
    rows = [[kind, as_text(losses)] for kind, losses in tried(results).items()]
    return table(("data, algorithm, norm", "step size: loss on the train rows"), rows)


def _accuracy(runs: Results, minus: str) -> list[str]:
    share = spread(runs.figures("test_accuracy"))
    return [
        f"{percent(share.median)} ({percent(share.least)} to {percent(share.largest)})",
        minus,
        percent(statistics.median(runs.figures("worst_decile"))),
    ]


def _cost(runs: Results) -> list[str]:
    gradients = [r.line["summary"].get("gradient_examples") or 0 for r in runs]
    done = statistics.median(runs.figures("example_evaluations"))
    middle = statistics.median(gradients)
    return [
        f"{done / 1e6:.2f}",
        f"{middle / 1e6:.2f}" if middle else UNKNOWN,
        str(len(runs)),
    ]


def _of_norm(runs: Results) -> list[str]:
    shares, _, worst = _accuracy(runs, "")
    loss = statistics.median(runs.figures("train_loss"))
    return [shares, worst, f"{loss:.3f}", str(len(runs))]
