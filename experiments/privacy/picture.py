"""Accuracy against ε: a panel a unit, a line a number of clients, and beside it without noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from baffle.report.curves import spread as apart
from experiments.harness import Results, spread
from experiments.harness.pictures import COLOURS, INK, LEFT, SOFT, slide
from experiments.privacy.tables import BUDGETS, NAMES, NONE, lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNITS = {"client": "A client is protected", "example": "An example is protected"}
COLOUR = {
    ("mnist", 100): COLOURS[1],
    ("mnist", 1000): COLOURS[0],
    ("mnist", 10000): COLOURS[2],
    ("digits", 100): COLOURS[3],
}
WIDTH, GAP = 0.32, 0.175  # of a panel, and to the next one with its labels
NO_NOISE = 4.0  # its place on the axis, an octave above ε = 8
LABEL_X, LABEL_GAP = 1.02, 0.06  # as shares of a panel
LOW, HIGH = 30.0, 100.0


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "Accuracy by privacy budget",
        "test accuracy by number of clients, δ = 1e-5; median of three keys, bars from least to "
        "largest; softmax regression",
    )
    for column, (unit, title) in enumerate(UNITS.items()):
        axes = figure.add_axes((LEFT + column * (WIDTH + GAP), 0.12, WIDTH, 0.68))
        _panel(axes, results.select(unit=unit))
        axes.set_title(title)
    return figure


def _panel(axes: Axes, results: Results) -> None:
    ends = {}
    for data, unit, clients in lines(results):
        found, place = results.select(data=data, unit=unit, clients=clients), (data, clients)
        ends[place] = _line(axes, found, COLOUR[place], "--" if data == "digits" else "-")
    ticks = {math.log2(e): f"ε = {e}" for e in sorted(BUDGETS)} | {NO_NOISE: "no noise"}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.axvline((math.log2(max(BUDGETS)) + NO_NOISE) / 2, color=SOFT, linewidth=0.8)
    axes.set_ylim(LOW, HIGH)
    axes.yaxis.set_major_formatter("{x:g} %")
    _label(axes, ends)


def _line(axes: Axes, found: Results, colour: str, dashes: str) -> float:
    """Draw the budgets' line and the dot without noise; return where the line's labels belong."""
    places = {math.log2(e): e for e in sorted(BUDGETS) if len(found.select(epsilon=e))}
    middle = {x: _bar(axes, x, found.select(epsilon=e), colour) for x, e in places.items()}
    axes.plot(list(middle), list(middle.values()), dashes, color=colour, linewidth=2.4)
    return _bar(axes, NO_NOISE, found.select(epsilon=NONE), colour)


def _bar(axes: Axes, x: float, found: Results, colour: str) -> float:
    if not len(found):
        return math.nan
    of_keys = spread([100 * share for share in found.figures("test_accuracy")])
    axes.plot([x, x], [of_keys.least, of_keys.largest], color=colour, linewidth=1.6, alpha=0.7)
    axes.plot([x], [of_keys.median], "o", color=colour, markersize=7)
    return of_keys.median


def _label(axes: Axes, ends: dict[tuple[str, int], float]) -> None:
    """Write who is meant beside the panel, in the order of the dots without noise."""
    known = {place: end for place, end in ends.items() if not math.isnan(end)}
    heights = [(end - LOW) / (HIGH - LOW) for end in known.values()]
    for (data, clients), height in zip(known, apart(heights, LABEL_GAP), strict=True):
        look: dict[str, Any] = {"weight": "bold", "size": 13, "va": "center"}
        colour = COLOUR[data, clients]
        text = f"{NAMES[data]}, {clients:,}"
        axes.text(LABEL_X, height, text, transform=axes.transAxes, color=colour, **look)
    axes.xaxis.label.set_color(INK)
