"""Accuracy of each model with averaged and with last weights, a dot a key."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from experiments.ablations.tables import ACTIVATIONS, AVERAGED, NORMS, OURS, PLAIN, title
from experiments.harness import Results
from experiments.harness.pictures import COLOURS, INK, LEFT, RIGHT, slide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAP = 0.06
KINDS = {AVERAGED: "averaged weights", PLAIN: "last weights"}


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "Activation, norm and averaged weights at equal evaluations",
        "MNIST, test accuracy in %; LeNet of widths 8 and 16; a dot a key, a bar at their median",
    )
    whole = RIGHT - LEFT - GAP
    models = [f"{a}, {n}" for n in NORMS for a in ACTIVATIONS]
    wide = figure.add_axes((LEFT, 0.16, 0.72 * whole, 0.62))
    _panel(wide, results.select(schedule="cosine"), models, "Cosine schedule, the default")
    narrow = figure.add_axes((LEFT + 0.72 * whole + GAP, 0.16, 0.28 * whole, 0.62))
    guideline = [f"{OURS}, {n}" for n in NORMS]
    _panel(narrow, results.select(schedule="constant"), guideline, "Constant step size")
    return figure


def _panel(axes: Axes, results: Results, models: list[str], name: str) -> None:
    for place, model in enumerate(models):
        found = results.select(model=model)
        for side, (figure, label) in enumerate(KINDS.items()):
            shares = [100 * share for share in found.figures(figure)]
            if not shares:
                continue
            x = place + 0.36 * side - 0.18
            known = label if place == 0 else None
            axes.plot([x] * len(shares), shares, "o", color=COLOURS[side], alpha=0.6, label=known)
            axes.plot([x - 0.13, x + 0.13], [statistics.median(shares)] * 2, color=INK, linewidth=2)
    labels = [title(model).replace(", ", "\n") for model in models]
    axes.set_xticks(range(len(models)), labels)
    axes.set_xlim(-0.6, len(models) - 0.4)
    axes.set_title(name)
    if len(models) > 2:  # the narrow panel has no room, and the same colours
        axes.legend(loc="lower right", frameon=False)
