"""Accuracy by roster and participation, and the step sizes, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from experiments.harness import Results, spread, table
from experiments.harness.tables import percent
from experiments.participation.design import BLOCKS, EVALUATIONS, ROUNDS, Block
from experiments.participation.steps import as_text, tried

HEADS = (
    "data",
    "clients N",
    "asked C",
    "participation",
    "rounds",
    "evaluations, millions",
    "evaluations a client and round",
    "accuracy, %: median (least to largest)",
    "seconds: median",
    "keys",
)


def evaluations(results: Results) -> str:
    """Return the table of runs at equal evaluations."""
    return table(HEADS, _rows(results, EVALUATIONS))


def rounds(results: Results) -> str:
    """Return the table of runs at equal rounds."""
    return table(HEADS, _rows(results, ROUNDS))


def steps(results: Results) -> str:
    """Return the table of losses on the train rows by step size, the least in bold."""
    rows = [[kind, as_text(losses)] for kind, losses in tried(results).items()]
    return table(("equal, data, asked", "step size: loss on the train rows"), rows)


def _rows(results: Results, what: str) -> Iterator[list[str]]:
    for block in BLOCKS:
        for N, asked in block.rosters.items():
            for C in asked:
                found = results.select(what=what, data=block.data, N=N, C=C)
                if len(found):
                    yield _row(block, N, C, found)


def _row(block: Block, N: int, C: int, found: Results) -> list[str]:
    share = spread(found.figures("test_accuracy"))
    done = statistics.median(found.figures("example_evaluations"))
    rounds = statistics.median(found.figures("rounds"))
    return [
        block.data,
        f"{N:,}",
        f"{C:,}",
        f"{100 * C / N:.3g} %",
        f"{rounds:.0f}",
        f"{done / 1e6:.2f}",
        f"{done / rounds / C:.0f}",
        f"{percent(share.median)} ({percent(share.least)} to {percent(share.largest)})",
        f"{statistics.median(found.figures('seconds')):.1f}",
        str(len(found)),
    ]
