"""Accuracy by the number of clients asked, at equal evaluations and at equal rounds."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from experiments.harness import Results
from experiments.harness.pictures import COLOURS, LEFT, SOFT, slide
from experiments.participation.design import DIGITS, EVALUATIONS, ROUNDS, SKEWED, WRITERS, Block

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, BOTTOM = 0.25, 0.62, 0.15


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "How many clients to ask in a round",
        "test accuracy; points are keys, lines their medians; K and B of a client are the same "
        "everywhere",
    )
    places = [LEFT + column * (WIDTH + 0.055) for column in range(3)]
    first, second, third = [figure.add_axes((place, BOTTOM, WIDTH, HEIGHT)) for place in places]
    _rosters(first, results, DIGITS, EVALUATIONS)
    first.set_title(f"digits, {DIGITS.budget / 1e6:.2f} M evaluations in all", size=14)
    _rosters(second, results, DIGITS, ROUNDS)
    second.set_title(f"digits, {DIGITS.rounds} rounds", size=14)
    second.sharey(first)
    for number, block in enumerate((SKEWED, WRITERS)):
        _line(third, results, block, EVALUATIONS, next(iter(block.rosters)), COLOURS[number])
    third.set_title("clients that differ", size=14)
    for axes in (first, second, third):
        _finish(axes)
    return figure


def _rosters(axes: Axes, results: Results, block: Block, what: str) -> None:
    for number, N in enumerate(block.rosters):
        _line(axes, results, block, what, N, COLOURS[number])


def _line(axes: Axes, results: Results, block: Block, what: str, N: int, colour: str) -> None:
    xs, medians = [], []
    for C in sorted(block.rosters[N]):
        shares = [
            100 * a
            for a in results.select(what=what, data=block.data, N=N, C=C).figures("test_accuracy")
        ]
        if shares:
            axes.plot([C] * len(shares), shares, "o", color=colour, alpha=0.4, markersize=6)
            xs.append(C)
            medians.append(statistics.median(shares))
    name = f"{N:,} clients" if block is DIGITS else f"{block.data}, {N} clients"
    if xs:
        axes.plot(xs, medians, color=colour, linewidth=2.2, label=name)


def _finish(axes: Axes) -> None:
    if not any(len(line.get_xdata()) for line in axes.lines):
        axes.text(0.5, 0.5, "not run yet", ha="center", transform=axes.transAxes, size=14)
        axes.set_axis_off()
        return
    axes.set_xscale("log")
    asked = sorted({float(x) for line in axes.lines for x in line.get_xdata()})
    apart = [x for x, before in zip(asked, [0, *asked], strict=False) if x > 1.5 * before]
    axes.set_xticks(apart, [f"{x:,.0f}" for x in apart])
    axes.minorticks_off()
    axes.set_xlabel("clients asked in a round", color=SOFT)
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.legend(loc="lower left", frameon=False, fontsize=12)
