"""Accuracy by evaluations for every recipe; training loss of what was tried in simulation."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from experiments.fewer.tables import RECIPES, WHERE, best, recipes
from experiments.harness import Results
from experiments.harness.pictures import COLOURS, INK, LEFT, SOFT, slide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR = dict(zip(RECIPES, (*COLOURS, SOFT, INK), strict=True))
PANEL, GAP = 0.24, 0.07
BARS_LEFT, BARS = 0.7, 0.27


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "Fewer evaluations",
        "left: real probes, median of keys, step size by training loss; right: linear regime",
    )
    for column, (what, name) in enumerate(WHERE.items()):
        if not len(results.select(what=what)):
            continue
        axes = figure.add_axes((LEFT + column * (PANEL + GAP), 0.3, PANEL, 0.5))
        axes.set_title(name)
        _curves(axes, results.select(what=what))
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="lower left",
        bbox_to_anchor=(LEFT, 0.04), ncol=3, frameon=False, fontsize=13,
    )  # fmt: skip
    if not len(results.select(what="linear", data="mnist")):
        return figure
    bars = figure.add_axes((BARS_LEFT, 0.12, BARS, 0.68))
    bars.set_title("training loss; a dot a key")
    _bars(bars, results.select(what="linear", data="mnist"))
    return figure


def _curves(axes: Axes, results: Results) -> None:
    for recipe in RECIPES:
        found = best(results, recipe)
        if not len(found):
            continue
        each = found.figures("example_evaluations")[0] / found.figures("rounds")[0] / 1e6
        curves = [result.line["curve"] for result in found]
        rounds = [round for round, _ in curves[0]]
        medians = [100 * statistics.median(c[i][1] for c in curves) for i in range(len(rounds))]
        axes.plot([each * n for n in rounds], medians, color=COLOUR[recipe], label=recipe)
    axes.set_xlabel("million evaluations")
    axes.yaxis.set_major_formatter("{x:g} %")


def _bars(axes: Axes, results: Results) -> None:
    for place, name in enumerate(recipes(results)):
        losses = [r.line["extra"]["loss"] for r in results.select(recipe=name)]
        axes.barh(place, statistics.fmean(losses), color=COLOURS[0], alpha=0.35)
        axes.plot(losses, [place] * len(losses), "o", color=INK, markersize=5)
        axes.text(0.02, place, name, va="center", size=12, color=SOFT if place else INK)
    axes.set_yticks([])
    axes.invert_yaxis()
