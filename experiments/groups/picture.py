"""Accuracy, and the estimate's error with both formulas, by the number of groups."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

from experiments.groups.tables import ALIKE, CLIENTS, DATA, GROUPS, MANY, data_name, estimates, mean
from experiments.harness import Results
from experiments.harness.pictures import COLOURS, INK, LEFT, SOFT, slide
from experiments.harness.study import Label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS = {64: COLOURS[0], 512: COLOURS[1]}
DASHED: Any = (0, (4, 2))
FORMULAS = {"dealt": ("-", "clients dealt"), "design": (DASHED, "clients of a crowd")}
CASES: tuple[tuple[int, Label], ...] = (
    (CLIENTS, 0.1),
    (CLIENTS, 1.0),
    (CLIENTS, ALIKE),
    (MANY, 1.0),
)
WIDTH, GAP = 0.195, 0.042
TOP, BOTTOM = (0.55, 0.27), (0.09, 0.27)


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "Groups with directions of their own",
        f"{CLIENTS} clients a round in G groups, K directions a group; equal evaluations; digits",
    )
    first = None
    for column, alpha in enumerate(DATA):
        axes = _panel(figure, column, TOP, first)
        axes.set_title(f"Accuracy, {data_name(alpha)}", size=14)
        _accuracy(axes, results.select(what="training", alpha=alpha))
        first = first or axes
    _key(_panel(figure, len(DATA), TOP, None))
    figure.text(LEFT, 0.43, "Squared error of an estimate over |∇F|²", size=15, weight="bold")
    first = None
    for column, (of, alpha) in enumerate(CASES):
        axes = _panel(figure, column, BOTTOM, first)
        axes.set_title(f"{data_name(alpha)}, {CLIENTS} of {of}", size=13)
        _errors(axes, results.select(what="still", of=of, alpha=alpha))
        first = first or axes
    return figure


def _panel(figure: Figure, column: int, at: tuple[float, float], beside: Axes | None) -> Axes:
    place = (LEFT + column * (WIDTH + GAP), at[0], WIDTH, at[1])
    axes = figure.add_axes(place, sharey=beside)
    axes.tick_params(labelleft=beside is None)
    axes.set_xticks(range(len(GROUPS)), [str(G) for G in GROUPS])
    axes.set_xlim(-0.4, len(GROUPS) - 0.6)
    axes.set_xlabel("G", labelpad=1)
    return axes


def _accuracy(axes: Axes, results: Results) -> None:
    for K, colour in LOOKS.items():
        medians = []
        for place, G in enumerate(GROUPS):
            shares = [100 * a for a in results.select(K=K, G=G).figures("test_accuracy")]
            axes.plot([place] * len(shares), shares, "o", color=colour, alpha=0.35, markersize=6)
            medians.append(statistics.median(shares) if shares else math.nan)
        axes.plot(range(len(GROUPS)), medians, color=colour, linewidth=2.2)
    axes.yaxis.set_major_formatter("{x:g} %")


def _errors(axes: Axes, results: Results) -> None:
    for K, colour in LOOKS.items():
        rows = [list(estimates(results.select(K=K, G=G))) for G in GROUPS]
        if not all(rows):
            continue
        for formula, (dash, _) in FORMULAS.items():
            wanted = [mean(some, formula) for some in rows]
            axes.plot(range(len(GROUPS)), wanted, color=colour, linestyle=dash, linewidth=1.8)
        found = [mean(some, "error") for some in rows]
        axes.plot(range(len(GROUPS)), found, "o", color=colour, markersize=8)
    axes.set_yscale("log")
    axes.set_yticks([1, 3, 10, 30, 100])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()


def _key(axes: Axes) -> None:
    """Say what dots and lines are."""
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    rows: list[tuple[str, dict[str, Any]]] = [
        *((f"K = {K}", {"color": c, "linewidth": 6}) for K, c in LOOKS.items()),
        ("a key, median line", {"color": SOFT, "marker": "o", "alpha": 0.5}),
        ("error as measured", {"color": SOFT, "marker": "o", "linewidth": 0, "markersize": 8}),
        *((words, {"color": SOFT, "linestyle": dash}) for dash, words in FORMULAS.values()),
    ]
    for place, (words, look) in enumerate(rows):
        height = 0.95 - 0.17 * place
        axes.plot([0.02, 0.09, 0.16], [height] * 3, **look)
        axes.text(0.22, height, words, va="center", size=13, color=INK)
