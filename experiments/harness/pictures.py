"""A study's pictures, in the style of the run curves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from baffle.report.curves import COLOURS, DPI, HEIGHT, INK, LEFT, RIGHT, SOFT, STYLE, WIDTH
from experiments.harness.results import FILE, results_of
from experiments.harness.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "INK", "LEFT", "RIGHT", "SOFT", "draw", "slide", "stale"]


def slide(title: str, subtitle: str) -> Figure:
    """Return an empty figure of 1920 × 1080 with its two lines at the top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(LEFT, 0.94, title, va="center", size=22, weight="bold")
    figure.text(LEFT, 0.893, subtitle, va="center", size=14, color=SOFT)
    return figure


def draw(study: Study) -> list[Path]:
    """Draw the study's figures; each file says which results it shows."""
    import matplotlib.style

    results, drawn = results_of(study), []
    if not len(results):
        return []
    study.images.mkdir(parents=True, exist_ok=True)
    for name, make in study.figures.items():
        path, about = study.images / name, {"Software": None, "Results": _digest(study)}
        with matplotlib.style.context(dict(STYLE), after_reset=True):
            make(results).savefig(path, format="png", metadata=about)
        drawn.append(path)
    return drawn


def stale(study: Study) -> list[str]:
    """Return the figures that were not drawn from the results as they are, a sentence each."""
    wanted = _digest(study).encode()
    paths = [study.images / name for name in study.figures]
    return [
        f"{path} was not drawn from {study.name}'s results as they are"
        for path in paths
        if not path.exists() or wanted not in path.read_bytes()
    ]


def _digest(study: Study) -> str:
    return hashlib.sha256((study.folder / FILE).read_bytes()).hexdigest()
