"""The error by K, the constant by radius, and accuracy by K."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import numpy as np

from experiments.constant.tables import (
    SIZES,
    WHEN,
    by_radius,
    chosen,
    mean_constant,
    runs,
)
from experiments.harness import Results
from experiments.harness.pictures import COLOURS, INK, LEFT, SOFT, slide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODELS = ("mlp", "lenet5", "lenet", "wrn")
MARKS = {"rank_one": "o", "rademacher": "s", "gaussian": "^"}
WIDTH, GAP, BOTTOM, HEIGHT = 0.262, 0.057, 0.13, 0.66


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "The constant of the bound is 1: E|ĝ - g|² = C (d/K) |g|²",
        "Against autograd's gradient of the same examples, forward differences, 16 bits; radius "
        "2^-10 on the left",
    )
    _by_directions(_panel(figure, 0, "Squared error over |g|², by K/d"), results)
    _by_radius(_panel(figure, 1, "C by radius, rank-one directions"), results)
    _accuracy(_panel(figure, 2, "Digits: test accuracy by K"), results)
    return figure


def _panel(figure: Figure, column: int, title: str) -> Axes:
    axes = figure.add_axes((LEFT + column * (WIDTH + GAP), BOTTOM, WIDTH, HEIGHT))
    axes.set_title(title, size=14)
    return axes


def _by_directions(axes: Axes, results: Results) -> None:
    found = results.select(what="error")
    for model, colour in zip(MODELS, COLOURS, strict=False):
        for kind, mark in MARKS.items():
            for result in found.select(model=model, kind=kind):
                extra = result.line["extra"]
                x = [row["K"] / extra["d"] for row in extra["errors"]]
                y = [row["error"] for row in extra["errors"]]
                axes.plot(x, y, mark, color=colour, markersize=5, alpha=0.6)
        size = {r.line["extra"]["d"] for r in found.select(model=model)}
        if size:
            axes.plot([], [], "o", color=colour, label=f"{model}, d = {max(size):,}")
    for kind, mark in MARKS.items():
        axes.plot([], [], mark, color=SOFT, label=kind)
    ends = np.array([1e-5, 8])
    axes.plot(ends, 1 / ends, color=INK, linewidth=1, label="d/K")
    axes.set(xscale="log", yscale="log", xlabel="K/d")
    axes.set_xticks([1e-4, 1e-3, 0.01, 0.1, 1], ["10⁻⁴", "10⁻³", "0.01", "0.1", "1"])
    heights = [0.1, 1, 10, 100, 1000, 10_000]
    axes.set_yticks(heights, ["0.1", "1", "10", "100", "1,000", "10⁴"])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower left", fontsize=12)


def _by_radius(axes: Axes, results: Results) -> None:
    found = by_radius(results)
    looks = [(m, w) for m in ("mlp", "lenet5") for w in WHEN]
    for (model, when), colour in zip(looks, COLOURS, strict=False):
        for estimator, dash in (("forward", "-"), ("central", ":")):
            some = found.select(model=model, when=when, estimator=estimator)
            points = sorted(
                (int(r.cell.labels["radius"]), mean_constant(r.line["extra"])) for r in some
            )
            if points:
                name = f"{model}, {when} weights" if estimator == "forward" else None
                axes.plot(*zip(*points, strict=True), dash, color=colour, marker="o", label=name)
    axes.axhline(1, color=INK, linewidth=1)
    axes.plot([], [], ":", color=SOFT, label="central differences")
    axes.set(yscale="log", xlabel="log2 of the radius", ylim=(0.5, 100))
    axes.set_xticks(range(-16, -2, 2))
    axes.set_yticks([0.5, 1, 2, 5, 10, 100], ["0.5", "1", "2", "5", "10", "100"])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=12)


def _accuracy(axes: Axes, results: Results) -> None:
    for what, colour in zip(("evaluations", "rounds"), COLOURS, strict=False):
        rows = [(K, chosen(found)) for K in SIZES if len(found := runs(results, what, K))]
        if not rows:
            continue
        each = [(K, 100 * a) for K, some in rows for a in some.figures("test_accuracy")]
        axes.plot(*zip(*each, strict=True), "o", color=colour, alpha=0.5)
        middle = [100 * statistics.median(some.figures("test_accuracy")) for _, some in rows]
        axes.plot([K for K, _ in rows], middle, color=colour, label=f"equal {what}")
    axes.set(xscale="log", xlabel="K")
    axes.set_xticks(SIZES, [str(K) for K in SIZES])
    axes.minorticks_off()
    if axes.lines:
        axes.legend(frameon=False)
