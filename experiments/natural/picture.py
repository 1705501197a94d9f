"""Accuracy by how data are divided, and of the worst decile of people."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from experiments.harness import Results
from experiments.harness.pictures import COLOURS, LEFT, slide
from experiments.natural.design import BAFFLE, BLOCKS, DIVIDED, FEDAVG, Block

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS = {BAFFLE: (COLOURS[0], -0.12), FEDAVG: (COLOURS[1], 0.12)}
WIDTH, HEIGHT, BOTTOM = 0.25, 0.62, 0.13
FIGURES = {"test_accuracy": "o", "worst_decile": "v"}


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "Federations of people",
        "test accuracy of all rows (dots) and of the tenth of people for whom it is least "
        "(triangles); bars are medians of keys",
    )
    for column, block in enumerate(BLOCKS):
        place = (LEFT + column * (WIDTH + 0.055), BOTTOM, WIDTH, HEIGHT)
        axes = figure.add_axes(place)
        _panel(axes, results.select(what=DIVIDED, data=block.data), block)
        axes.set_title(f"{block.data}: {block.asked} of {block.clients} a round", size=14)
        handles = axes.get_legend_handles_labels()
    figure.legend(*handles, loc="upper right", ncols=2, bbox_to_anchor=(0.97, 0.87), frameon=False)
    return figure


def _panel(axes: Axes, results: Results, block: Block) -> None:
    if not len(results):
        axes.text(0.5, 0.5, "not run yet", ha="center", transform=axes.transAxes, size=14)
        axes.set_yticks([])
    for algorithm, (colour, shift) in LOOKS.items():
        for name, mark in FIGURES.items():
            for place, way in enumerate(block.ways):
                values = results.select(algorithm=algorithm, way=way).figures(name)
                _points(axes, place + shift, [100 * v for v in values], mark, colour)
        axes.plot([], [], "o", color=colour, label=algorithm)
    axes.set_xticks(range(len(block.ways)), block.ways)
    axes.set_xlim(-0.5, len(block.ways) - 0.5)
    axes.yaxis.set_major_formatter("{x:g} %")


def _points(axes: Axes, x: float, values: list[float], mark: str, colour: str) -> None:
    if values:
        axes.plot([x] * len(values), values, mark, color=colour, alpha=0.45, markersize=7)
        middle = statistics.median(values)
        axes.plot([x - 0.1, x + 0.1], [middle, middle], color=colour, linewidth=2.2)
