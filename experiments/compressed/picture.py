"""Accuracy right after compression and after training, one row a form, one panel a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.compressed.tables import FLOAT, WORDS, groups, middle
from experiments.harness import Results
from experiments.harness.pictures import COLOURS, INK, SOFT, slide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "Compressed models trained by forward passes alone",
        "test accuracy: right after compression, and after the run; medians over keys; dotted: the "
        "float model after the run",
    )
    found = list(groups(results))
    panels = [[group for group in found if group[0] == task] for task in WORDS]
    panels = [panel for panel in panels if panel]
    forms = list(dict.fromkeys(form for _, form, _ in found))  # one line each in all panels
    for number, panel in enumerate(panels):
        axes = figure.add_axes((0.16 + 0.28 * number, 0.1, 0.25, 0.68))
        _rows(axes, panel, forms)
        axes.set_yticks(range(len(forms)), [] if number else forms, size=13)
        if not number:
            axes.legend(loc="lower left", bbox_to_anchor=(-0.65, 0.98), frameon=False, fontsize=12)
    return figure


def _rows(axes: Axes, panel: list[tuple[str, str, Results]], forms: list[str]) -> None:
    for _, form, found in panel:
        place = forms.index(form)
        start = middle(found, "compressed_accuracy")
        ends = found.figures("test_accuracy")
        end = middle(found, "test_accuracy")
        label = {"compressed": "compressed", "trained": "trained"} if not place else {}
        axes.plot([start, end], [place] * 2, color=SOFT, lw=1.5, zorder=1)
        axes.plot([min(ends), max(ends)], [place] * 2, color=COLOURS[0], lw=5, alpha=0.5)
        look = {"ls": "none", "ms": 10, "zorder": 3}
        axes.plot(start, place, color=SOFT, marker="o", label=label.get("compressed"), **look)
        axes.plot(end, place, color=COLOURS[0], marker="D", label=label.get("trained"), **look)
        axes.annotate(
            f"{100 * end:.1f} %",
            (end, place),
            xytext=(0, 11),
            textcoords="offset points",
            ha="center",
            size=12,
            color=INK,
        )
        if form == FLOAT:
            axes.axvline(end, color=COLOURS[0], lw=1, ls=":", zorder=0)
    axes.set_title(WORDS[panel[0][0]].removesuffix("'s last third"), size=14, loc="left", pad=14)
    axes.set_ylim(len(forms) - 0.5, -0.7)
    axes.margins(x=0.12)
    axes.tick_params(length=0)
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
