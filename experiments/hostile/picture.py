"""What each rule keeps under each attack: three grids on one slide."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

from experiments.harness import Results
from experiments.harness.pictures import INK, LEFT, slide
from experiments.hostile.shares import GROUPS, KEPT, LONG, REPORTS, Block, kept

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS = {
    "nobody": "nobody lies",
    "sign_flip": "sign flip",
    "random": "random levels",
    "label_flip": "label flip",
    "alie": "a little is enough",
    "inner_product": "inner product",
    "trimmed_mean": "trimmed\nmean",
    "multi_krum": "multi-\nKrum",
    "krum": "Krum",
    "norm_bound": "norm\nbound",
}
LABELS = 0.105  # left of a grid, for the names of attacks


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "Accuracy that rules keep with hostile clients",
        "share of the plain sum's accuracy without liars, in %; median of three keys; "
        f"bold from {100 * KEPT:.1f} %",
    )
    left = LEFT + LABELS
    _grid(figure.add_axes((left, 0.09, 0.37, 0.64)), results, REPORTS)
    _grid(figure.add_axes((left + 0.49, 0.53, 0.32, 0.2)), results, LONG)
    _grid(figure.add_axes((left + 0.49, 0.09, 0.32, 0.26)), results, GROUPS)
    figure.text(LEFT, 0.835, "4 of 20 clients lie, 80 rounds", size=15, weight="bold")
    figure.text(left + 0.39, 0.835, "the same, 240 rounds", size=15, weight="bold")
    figure.text(left + 0.39, 0.43, "rules over 10 secure sums of 3 clients", size=15, weight="bold")
    return figure


def _grid(axes: Axes, results: Results, block: Block) -> None:
    shares = [[_median(kept(results, block, a, r)) for r in block.rules] for a in block.attacks]
    axes.imshow(shares, cmap="RdYlBu", vmin=0.2, vmax=1.4, aspect="auto")
    for y, line in enumerate(shares):
        for x, share in enumerate(line):
            _write(axes, x, y, share)
    axes.set_xticks(range(len(block.rules)), [WORDS.get(r, r) for r in block.rules])
    axes.set_yticks(range(len(block.attacks)), [_words(a) for a in block.attacks])
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=12, labelcolor=INK)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _median(values: list[float]) -> float:
    return statistics.median(values) if values else math.nan


def _words(attack: str) -> str:
    """Return an attack's name as it is said; with its share of liars, if the label has one."""
    share, _, name = attack.rpartition(" ")
    said = WORDS.get(name, name)
    return f"{100 * float(share):.0f} % {said}" if share else said


def _write(axes: Axes, x: int, y: int, share: float) -> None:
    if math.isnan(share):
        return
    look: dict[str, Any] = {"weight": "bold"} if share >= KEPT else {}
    colour = "white" if share < 0.35 else INK
    axes.text(x, y, f"{100 * share:.0f}", ha="center", va="center", size=14, color=colour, **look)
