"""The picture of a comparison: accuracy against each resource, and against peak memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baffle.errors import ConfigError
from baffle.report.compared import Compared, Entry
from baffle.report.compared_table import title_of
from baffle.report.curves import COLOURS, DASHES, DPI, HEIGHT, LEFT, RIGHT, SOFT, STYLE, WIDTH
from baffle.report.units import percent_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = (
    ("rounds", "rounds", 1.0),
    ("evaluations", "million example evaluations", 1e6),
    ("bytes", "kB up and down, a client", 1e3),
    ("seconds", "seconds on one thread", 1.0),
)
MARKERS = "os^DvP*X<>"
COLUMNS, ROWS = 3, 2
TITLE_POINTS = 1500.0  # a bold line of so many points times letters is as wide as the picture
BOTTOM, TOP, GAP_X, GAP_Y = 0.09, 0.82, 0.045, 0.15


def draw_compared(found: Compared, out: Path) -> Path | None:
    """Draw a comparison into a PNG of 1920 × 1080; None if no run is done yet.

    Lines are medians over the run keys, bands reach from the lowest to the highest.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    shown = [e for e in found.entries if e.curves]
    if not shown:
        return None
    try:
        import matplotlib.style
    except ImportError:
        raise ConfigError("curves need matplotlib; install baffle[plot]") from None
    with matplotlib.style.context(dict(STYLE), after_reset=True):
        figure = _picture(found, shown)
        figure.savefig(out, format="png", metadata={"Software": None})
    return out


def _picture(found: Compared, shown: Sequence[Entry]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    title = title_of(found)
    size = min(21.0, TITLE_POINTS / len(title))
    figure.text(LEFT, 0.94, title, va="center", size=size, weight="bold")
    keys = len(found.comparison.keys)
    subtitle = f"Test accuracy; median of {keys} run keys, band from lowest to highest"
    if any(entry.differentiates for entry in shown):
        subtitle += "; ∂: clients take derivatives, all others run forward only"
    figure.text(LEFT, 0.893, subtitle, va="center", size=14, color=SOFT)
    looks = {e.name: _look(i) for i, e in enumerate(shown)}
    first: Axes | None = None
    for index, (name, label, unit) in enumerate(PANELS):
        panel = figure.add_axes(_place(index), sharey=first)
        first = first or panel
        for entry in shown:
            _curve(panel, entry, name, unit, looks[entry.name])
        _finish(panel, f"against {name}", label, logarithmic=True)
    if any(entry.peak for entry in shown):
        _memory(figure.add_axes(_place(len(PANELS)), sharey=first), shown, looks)
    _legend(figure, shown, looks)
    return figure


def _look(index: int) -> Mapping[str, Any]:
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": DASHES[index // len(COLOURS) % len(DASHES)],
        "marker": MARKERS[index % len(MARKERS)],
    }


def _place(index: int) -> tuple[float, float, float, float]:
    row, column = divmod(index, COLUMNS)
    width = (RIGHT - LEFT - GAP_X * (COLUMNS - 1)) / COLUMNS
    height = (TOP - BOTTOM - GAP_Y * (ROWS - 1)) / ROWS
    return (LEFT + column * (width + GAP_X), TOP - height - row * (height + GAP_Y), width, height)


def _curve(axes: Axes, entry: Entry, name: str, unit: float, look: Mapping[str, Any]) -> None:
    """Draw the median curve and the band of an algorithm; keys have the same evaluated rounds."""
    curves = list(entry.curves.values())
    many = min(len(curve) for curve in curves)
    x = np.array([[p[name] / unit for p in curve[:many]] for curve in curves])
    y = np.array([[p["test_accuracy"] for p in curve[:many]] for curve in curves])
    middle = np.median(x, axis=0)
    line = {"color": look["color"], "linestyle": look["linestyle"]}
    axes.fill_between(middle, y.min(axis=0), y.max(axis=0), color=look["color"], alpha=0.15, lw=0)
    axes.plot(middle, np.median(y, axis=0), linewidth=2.2, **line)
    axes.plot(
        middle[-1:], np.median(y, axis=0)[-1:], marker=look["marker"], color=look["color"], ms=8
    )


def _memory(axes: Axes, shown: Sequence[Entry], looks: Mapping[str, Any]) -> None:
    for entry in shown:
        if entry.peak and entry.spread:
            s, look = entry.spread, looks[entry.name]
            reach = [[s.median - s.low], [s.high - s.median]]
            axes.errorbar(
                [entry.peak / 1e6],
                [s.median],
                yerr=reach,
                marker=look["marker"],
                color=look["color"],
                ms=9,
                capsize=3,
            )
    _finish(axes, "against a client's memory", "MB resident at the most", logarithmic=False)


def _finish(axes: Axes, title: str, label: str, *, logarithmic: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set_title(title[0].upper() + title[1:])
    axes.set_xlabel(label)
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.12g}"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.4g} %"))


def _legend(figure: Figure, shown: Sequence[Entry], looks: Mapping[str, Any]) -> None:
    """Name the algorithms in the place of the sixth panel, best first."""
    axes = figure.add_axes(_place(COLUMNS * ROWS - 1))
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    line = min(0.11, 1 / max(1, len(shown)))
    for index, entry in enumerate(shown):
        height, look = 1 - line * (index + 0.5), looks[entry.name]
        axes.plot(
            [0, 0.16], [height, height], lw=2.2, **{k: look[k] for k in ("color", "linestyle")}
        )
        axes.plot([0.08], [height], ls="", ms=8, **{k: look[k] for k in ("color", "marker")})
        reached = percent_text(entry.spread.median) if entry.spread else "no figure"
        text = f"{reached}  {entry.name}{' ∂' * entry.differentiates}"
        axes.text(0.19, height, text, va="center", size=12.5, color=look["color"], weight="bold")
