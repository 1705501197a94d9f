"""Accuracy against bits, and against bytes, for both data sets on one slide."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from baffle.report.curves import spread as apart
from experiments.harness import Results
from experiments.harness.pictures import COLOURS, INK, LEFT, SOFT, slide
from experiments.quantisation.tables import ASKED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BITS = (16, 8, 4, 2, 1)
COLOUR = dict(zip(BITS, COLOURS, strict=False))
NAMES = {"digits": "Digits", "mnist": "MNIST"}
WIDTH, GAP = 0.34, 0.155  # of a panel, and to the next one with its labels
LABEL_X, LABEL_GAP = 1.03, 0.11  # of a curve's label, as shares of its panel


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "Accuracy by the bits of an uploaded integer",
        "test accuracy; a dot a key, a bar at their median; the same keys at all bits",
    )
    for column, (data, name) in enumerate(NAMES.items()):
        found, left = results.select(data=data), LEFT + column * (WIDTH + GAP)
        if not len(found):
            continue
        dots = figure.add_axes((left, 0.53, WIDTH, 0.255))
        _dots(dots, found)
        dots.set_title(f"{name}: bits of an integer, bytes of a report", pad=26)
        curves = figure.add_axes((left, 0.1, WIDTH, 0.25))
        _curves(curves, found)
        curves.set_title(f"{name}: median by bytes uploaded")
    return figure


def _dots(axes: Axes, results: Results) -> None:
    labels = []
    for place, bits in enumerate(BITS):
        found = results.select(bits=bits)
        shares = [100 * share for share in found.figures("test_accuracy")]
        if not shares:
            continue
        offsets = [place + 0.3 * _offset(n, len(shares)) for n in range(len(shares))]
        median = statistics.median(shares)
        axes.plot(offsets, shares, "o", color=COLOUR[bits], alpha=0.55, markersize=7)
        axes.plot([place - 0.36, place + 0.36], [median] * 2, color=INK, linewidth=2.6)
        size = found.figures("bytes_up_per_report")[0]
        labels.append(f"{bits}\n{size:,.0f} B")
        _above(axes, place, f"{median:.1f} %", COLOUR[bits])
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.6, len(BITS) - 0.4)
    axes.yaxis.set_major_formatter("{x:g} %")


def _above(axes: Axes, place: int, text: str, colour: str) -> None:
    """Write the median over its column."""
    look: dict[str, Any] = {
        "color": colour,
        "weight": "bold",
        "size": 13,
        "ha": "center",
        "va": "bottom",
    }
    axes.text(place, 1.0, text, transform=axes.get_xaxis_transform(), **look)


def _offset(number: int, many: int) -> float:
    return 2 * number / (many - 1) - 1 if many > 1 else 0.0


def _curves(axes: Axes, results: Results) -> None:
    ends = {}
    for bits in BITS:
        found = results.select(bits=bits)
        if not len(found):
            continue
        report = found.figures("bytes_up_per_report")[0]
        curves = [r.line["curve"] for r in found]
        x = [ASKED * report * round / 1e6 for round, _ in curves[0]]
        y = [100 * statistics.median(c[n][1] for c in curves) for n in range(len(x))]
        axes.plot(x, y, color=COLOUR[bits], linewidth=2.2)
        axes.plot(x[-1:], y[-1:], "o", color=COLOUR[bits], markersize=6)
        ends[bits] = y[-1]
    axes.set_xscale("log")
    axes.set_xlabel("MB of all clients, trials left out")
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.xaxis.set_major_formatter("{x:g}")
    _label(axes, ends)


def _label(axes: Axes, ends: dict[int, float]) -> None:
    """Write the bits beside the panel, in the order of the curves' ends."""
    low, high = axes.get_ylim()
    heights = [(end - low) / (high - low) for end in ends.values()]
    for bits, height in zip(ends, apart(heights, LABEL_GAP), strict=True):
        text = f"{bits} bits" if bits > 1 else "1 bit"
        look: dict[str, Any] = {"color": COLOUR[bits], "weight": "bold", "size": 13, "va": "center"}
        axes.text(LABEL_X, height, text, transform=axes.transAxes, **look)
    axes.xaxis.label.set_color(SOFT)
