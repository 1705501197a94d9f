"""Accuracy against example evaluations, and against rounds, beside the paper's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.harness import Results
from experiments.harness.pictures import COLOURS, INK, LEFT, SOFT, slide
from experiments.harness.results import Result
from experiments.mnist.tables import LENET, TARGET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PUBLISHED = {"BAFFLE, 20 rounds": (20, 0.9517), "FedZO, 1,000 rounds": (1000, 0.8358)}
NAMES = ("headline", "20 rounds", *LENET)
COLOUR = dict(zip(NAMES, (*COLOURS, SOFT), strict=True))
SAID = {"headline": "convnet", "20 rounds": "convnet, 512 local steps a round"}


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "MNIST by forward passes alone",
        "test accuracy of the averaged weights; a line a key; 10 clients with equal shares",
    )
    left = figure.add_axes((LEFT, 0.11, 0.39, 0.66))
    right = figure.add_axes((LEFT + 0.5, 0.11, 0.39, 0.66))
    _curves(left, results, (*LENET, "headline"), by="evaluations")
    _curves(right, results, ("headline", "20 rounds", "FedZO 1000 rounds"), by="rounds")
    left.set_title("by example evaluations of all clients, millions")
    right.set_title("by rounds; crosses: as the paper reports")
    for name, (rounds, share) in PUBLISHED.items():
        right.plot(rounds, 100 * share, "x", color=INK, markersize=12, markeredgewidth=3)
        side = "right" if rounds > 100 else "left"  # within the frame
        right.annotate(f"  {name}  ", (rounds, 100 * share), va="top", ha=side, size=12, color=INK)
    return figure


def _curves(axes: Axes, results: Results, names: tuple[str, ...], by: str) -> None:
    for name in names:
        for number, result in enumerate(results.select(what=name)):
            colour = COLOUR.get(name, SOFT)
            x, y = _points(result, by)
            axes.plot(
                x, y, color=colour, linewidth=2.4, label=None if number else SAID.get(name, name)
            )
    axes.axhline(100 * TARGET, color=SOFT, linewidth=1, linestyle=":")
    axes.set_xscale("log")
    axes.set_ylim(50, 100)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.legend(loc="lower right", frameon=False, fontsize=13)


def _points(result: Result, by: str) -> tuple[list[float], list[float]]:
    each = result.figure("example_evaluations") / result.figure("rounds") / 1e6
    unit = each if by == "evaluations" else 1.0
    curve = result.line["curve"]
    return [unit * r for r, _ in curve], [100 * share for _, share in curve]
