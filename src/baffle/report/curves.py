"""One picture of a run, or of several side by side, fit to be shown on a slide."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baffle.errors import ConfigError, LedgerError
from baffle.report.captions import labels_of, shortened, subtitle, title
from baffle.report.runs import Run, read_run
from baffle.report.series import COSTS, ROUNDS, SMOOTHED_OVER, Cost, points, smoothed
from baffle.report.summary import summary_of
from baffle.report.units import number_text, percent_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, DPI = 40 / 3, 7.5, 144  # inches and dots an inch: 1920 × 1080
INK, SOFT, GRID = "#222222", "#666666", "#e4e4e4"
# Okabe and Ito's colours, told apart by the colour-blind; without yellow, which is lost on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))  # one more for each time round the colours
STYLE: Mapping[str, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": 14,
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a folder's name is a dollar
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.labelcolor": SOFT,
    "axes.titlesize": 15,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "grid.color": GRID,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "ytick.major.size": 0,
    "lines.solid_capstyle": "round",
}
NAMES = {"test_accuracy": "Test accuracy", "loss": "Training loss"}
SHORT = {"test_accuracy": "Accuracy", "loss": "Loss"}
LEAST_SPAN = 0.05  # of an accuracy axis
STEPS = (1, 2, 2.5, 5, 10)  # between ticks, times a power of ten
FAR_APART = 10.0  # costs of runs further apart than this go on a logarithmic axis
LEFT, RIGHT = 0.06, 0.975  # of what is drawn, as shares of the width
LABEL_SIZE = 14
LABEL_X = 1.035  # as a share of the panel's width
LABEL_GAP = 0.085  # between labels, as a share of the panel's height
RAW_UPTO = 3  # more runs than this and the single rounds' losses would only hide the curves


@dataclass(frozen=True)
class Curve:
    """A run and how it looks."""

    run: Run
    label: str
    colour: str
    dash: Any


def draw_curves(
    run_folders: Sequence[Path], out: Path, labels: Sequence[str] | None = None
) -> Path:
    """Draw one or more runs into a PNG of 1920 × 1080 and return its path.

    Test accuracy against rounds, example evaluations, bytes and time, and the training loss; runs
    without a test set draw the loss in all panels. The same files give the same bytes.

    Args:
        run_folders: finished or not.
        out: file to write; its folder is made.
        labels: one a run; by default what tells the runs apart.

    Raises:
        ConfigError: no run, another number of labels than runs, or matplotlib is not installed.
        LedgerError: a folder is no run, or no run has a round to draw.

    Example:
        >>> draw_curves([Path("runs/a"), Path("runs/b")], Path("curves.png"))  # doctest: +SKIP
        PosixPath('curves.png')
    """
    runs = [read_run(Path(folder)) for folder in run_folders]
    _check(runs, labels)
    style = _matplotlib_style()
    with style.context(STYLE, after_reset=True):
        _save(_picture(_curves(runs, labels)), Path(out))
    return Path(out)


def _check(runs: Sequence[Run], labels: Sequence[str] | None) -> None:
    if not runs:
        raise ConfigError("expected at least one run folder to draw, got none")
    if labels is not None and len(labels) != len(runs):
        raise ConfigError(f"expected one label a run, got {len(labels)} for {len(runs)} runs")
    if not any(len(points(run.rows, ROUNDS, name)[0]) for run in runs for name in NAMES):
        folders = ", ".join(str(run.folder) for run in runs)
        raise LedgerError(f"{folders}: expected a round with a loss to draw, found none")


def _matplotlib_style() -> Any:
    try:
        import matplotlib.style
    except ImportError:
        raise ConfigError("curves need matplotlib; install baffle[plot]") from None
    return matplotlib.style


def _save(figure: Figure, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(os.fspath(out), format="png", metadata={"Software": None})


def _curves(runs: Sequence[Run], labels: Sequence[str] | None) -> list[Curve]:
    chosen = labels or labels_of([summary_of(run) for run in runs])
    many = len(COLOURS)
    return [
        Curve(run, shortened(label), COLOURS[i % many], DASHES[i // many % len(DASHES)])
        for i, (run, label) in enumerate(zip(runs, chosen, strict=True))
    ]


def _picture(curves: Sequence[Curve]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    _captions(figure, [curve.run for curve in curves])
    tested = any(len(points(c.run.rows, ROUNDS, "test_accuracy")[0]) for c in curves)
    shown = "test_accuracy" if tested else "loss"
    texts = [_end_text(curve, shown) for curve in curves]
    room = max(_text_width(figure, text, LABEL_SIZE) for text in texts) + 0.03
    main = figure.add_axes((LEFT, 0.5, (0.62 if tested else RIGHT) - room - LEFT, 0.315))
    _panel(main, curves, ROUNDS, shown)
    _label_ends(main, curves, texts, shown)
    if tested:
        _panel(figure.add_axes((0.69, 0.5, RIGHT - 0.69, 0.315)), curves, ROUNDS, "loss")
    for place, cost in enumerate(COSTS):
        axes = figure.add_axes((LEFT + 0.315 * place, 0.1, 0.285, 0.235), sharey=main)
        _panel(axes, curves, cost, shown)
        axes.tick_params(labelleft=place == 0)
    return figure


def _text_width(figure: Figure, text: str, size: float) -> float:
    """Return the width of a bold line of so many points, as a share of the picture's."""
    from matplotlib.font_manager import FontProperties

    bold = FontProperties(family=STYLE["font.family"], weight="bold", size=size)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    return renderer.get_text_width_height_descent(text, bold, False)[0] / (WIDTH * DPI)


def _captions(figure: Figure, runs: Sequence[Run]) -> None:
    summaries = [summary_of(run) for run in runs]
    _caption(figure, title(summaries), 0.94, 22.0, weight="bold")
    _caption(figure, subtitle(summaries), 0.893, 14.0, color=SOFT)


def _caption(figure: Figure, text: str, height: float, size: float, **look: Any) -> None:
    """Write a line, smaller where it would not fit."""
    width = max(_text_width(figure, text, size), 1e-9)
    fitting = size * min(1.0, (RIGHT - LEFT) / width)
    figure.text(LEFT, height, text, va="center", size=fitting, **look)


def _panel(axes: Axes, curves: Sequence[Curve], cost: Cost, figure: str) -> None:
    ends = [x.max() for c in curves if len(x := points(c.run.rows, cost, figure)[0])]
    far = bool(ends) and max(ends) > FAR_APART * min(ends) > 0
    divisor, label = cost.unit(min(ends) if far else max(ends, default=1.0))
    for curve in curves:
        _draw(axes, curve, cost, figure, divisor, raw=len(curves) <= RAW_UPTO)
    names = NAMES if cost is ROUNDS else SHORT
    axes.set_title(f"{names[figure]} {cost.against}")
    means = figure == "loss" and cost is ROUNDS and _smooths(curves)
    axes.set_xlabel(f"{label} (bold: moving mean)" if means else label)
    _scale_x(axes, cost, far)
    _scale_y(axes, figure)


def _smooths(curves: Sequence[Curve]) -> bool:
    return max(len(curve.run.rows) for curve in curves) >= 2 * SMOOTHED_OVER


def _draw(axes: Axes, curve: Curve, cost: Cost, figure: str, divisor: float, *, raw: bool) -> None:
    x, y = points(curve.run.rows, cost, figure)
    if not len(x):
        return
    x = x / divisor
    look = {"color": curve.colour, "linestyle": curve.dash}
    mean = smoothed(y) if figure == "loss" else y
    if raw and figure == "loss":
        axes.plot(x, y, color=curve.colour, linewidth=0.8, alpha=0.3)
    axes.plot(x, mean, linewidth=2.6, **look)
    axes.plot(x[-1:], mean[-1:], "o", color=curve.colour, markersize=7, clip_on=False)


def _scale_x(axes: Axes, cost: Cost, logarithmic: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS, integer=cost is ROUNDS))
        axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(_tick_text))


def _tick_text(value: float, place: int | None = None) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def _scale_y(axes: Axes, figure: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
    if figure != "test_accuracy":
        return
    low, high = axes.get_ylim()
    more = max(0.0, LEAST_SPAN - (high - low)) / 2
    axes.set_ylim(max(-0.005, low - more), min(1.005, high + more))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{100 * value:.4g} %"))


def _end_text(curve: Curve, figure: str) -> str:
    _, y = points(curve.run.rows, ROUNDS, figure)
    if not len(y):
        return f"no test  {curve.label}".rstrip()
    value = percent_text(y[-1]) if figure == "test_accuracy" else number_text(y[-1])
    return f"{value}  {curve.label}".rstrip()


def _label_ends(axes: Axes, curves: Sequence[Curve], texts: Sequence[str], figure: str) -> None:
    """Write each run's last figure and name beside the end of its curve."""
    low, high = axes.get_ylim()
    ends = [points(curve.run.rows, ROUNDS, figure) for curve in curves]
    heights = [(y[-1] - low) / (high - low) if len(y) else 0.0 for _, y in ends]
    for curve, text, (x, y), height in zip(
        curves, texts, ends, spread(heights, LABEL_GAP), strict=True
    ):
        look: dict[str, Any] = {"color": curve.colour, "weight": "bold", "size": LABEL_SIZE}
        axes.text(LABEL_X, height, text, transform=axes.transAxes, va="center", **look)
        if len(y):
            _lead(axes, (x[-1], y[-1]), (LABEL_X - 0.005, height), curve)


def _lead(axes: Axes, end: tuple[float, float], place: tuple[float, float], curve: Curve) -> None:
    """Draw a thin line from a curve's end to its label."""
    look = {"color": curve.colour, "linestyle": curve.dash, "alpha": 0.5}
    axes.annotate(
        "",
        end,
        xytext=place,
        textcoords=axes.transAxes,
        arrowprops={"arrowstyle": "-", "shrinkA": 0, "shrinkB": 5, **look},
        annotation_clip=False,
    )


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Return heights at least a gap apart, within 0 to 1, as near to where they were as can be.

    Args:
        heights: of labels, from 0 to 1.
        gap: least distance; less where there are too many.

    Example:
        >>> spread([0.5, 0.52], 0.1)
        [0.46, 0.56]
    """
    many = len(heights)
    gap = min(gap, 1 / max(1, many - 1))
    order = np.argsort(heights, kind="stable")
    offsets = gap * np.arange(many)
    wanted = np.asarray(heights, dtype=float)[order] - offsets
    placed = np.clip(_ascending(wanted), 0.0, 1.0 - gap * (many - 1)) + offsets
    result = np.empty(many)
    result[order] = placed
    return [round(float(h), 6) for h in result]


def _ascending(values: Any) -> Any:
    """Return the ascending values nearest in least squares (pools of neighbours, each its mean)."""
    pools: list[tuple[float, int]] = []
    for value in values.tolist():
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (m2, n2), (m1, n1) = pools.pop(), pools.pop()
            pools.append(((m1 * n1 + m2 * n2) / (n1 + n2), n1 + n2))
    return np.repeat([mean for mean, _ in pools], [count for _, count in pools])
