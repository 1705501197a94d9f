"""Before, by probes and by back-propagation: one row a trained part."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from experiments.finetuning.tables import WORDS, groups, score, shown
from experiments.harness import Results
from experiments.harness.pictures import COLOURS, INK, SOFT, slide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = (("first", "before", SOFT, "o"), ("fedavg", "FedAvg", COLOURS[1], "s"))
OURS = ("test", "probes alone", COLOURS[0], "D")


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "A small part of pretrained weights, trained by forward passes alone",
        "test accuracy (left) and bits a byte of unseen text (right, less is better); median over "
        "keys; d trained weights in brackets",
    )
    found = list(groups(results))
    left = [group for group in found if group[0] != "plays"]
    right = [group for group in found if group[0] == "plays"]
    _rows(figure.add_axes((0.25, 0.08, 0.37, 0.7)), left)
    if right:
        _rows(figure.add_axes((0.79, 0.08, 0.18, 0.7)), right)
    return figure


def _rows(axes: Axes, found: list[tuple[str, str, Results]]) -> None:
    names = []
    for place, (task, part, results) in enumerate(found):
        d = results.items[0].line["summary"]["dimension"]
        names.append(f"{WORDS[task]}\n{part} ({d:,})")
        middles = {}
        for which, label, colour, marker in (*KINDS, OURS):
            values = [score(result, which) for result in results]
            middles[which] = statistics.median(values)
            axes.plot([min(values), max(values)], [place] * 2, color=colour, lw=2)
            look = {"color": colour, "marker": marker, "ms": 10, "ls": "none", "zorder": 3}
            axes.plot(middles[which], place, label=label if not place else None, **look)
        axes.annotate(
            shown(task, middles["test"]),
            (middles["test"], place),
            xytext=(0, 11),
            textcoords="offset points",
            ha="center",
            size=12,
            color=INK,
        )
    axes.set_yticks(range(len(names)), names, size=12)
    axes.set_ylim(len(names) - 0.4, -0.7)
    axes.tick_params(length=0)
    axes.locator_params(axis="x", nbins=4)
    if found[0][0] != "plays":  # the narrow panel has no room for the same legend
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=13
        )
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
