"""A panel a task: every key's accuracy as a dot, the median as a bar."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from baffle.report.compared import Compared
from baffle.report.curves import STYLE
from experiments.compare.tasks import CONTENDERS, KEYS, OURS
from experiments.harness.pictures import COLOURS, INK, slide

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS, WIDTH, HEIGHT = 2, 0.36, 0.18
LEFTS, TOPS = (0.12, 0.6), (0.64, 0.375, 0.11)


def save(found: Mapping[str, Compared], out: Path) -> None:
    """Draw the picture, if anything has run."""
    shown = {task: one for task, one in found.items() if any(e.spread for e in one.entries)}
    if not shown:
        return
    import matplotlib.style

    with matplotlib.style.context(dict(STYLE), after_reset=True):
        figure = slide(
            "Forward passes alone, at equal example evaluations",
            f"test accuracy; a dot a key ({len(KEYS)}), a bar at their median; each method at its "
            "own step size, with as many trials",
        )
        for index, (task, one) in enumerate(shown.items()):
            row, column = divmod(index, COLUMNS)
            axes = figure.add_axes((LEFTS[column], TOPS[row], WIDTH, HEIGHT))
            _panel(axes, task, one)
        figure.savefig(out, format="png", metadata={"Software": None})


def _panel(axes: Axes, task: str, one: Compared) -> None:
    entries = {e.name: e for e in one.entries}
    for place, name in enumerate(reversed(CONTENDERS)):
        entry = entries[name]
        if entry.spread is None:
            continue
        shares = [100 * share for share in entry.accuracy.values()]
        colour = COLOURS[0] if name in OURS else COLOURS[1]
        axes.plot(shares, [place] * len(shares), "o", color=colour, alpha=0.6, markersize=6)
        middle = 100 * entry.spread.median
        axes.plot([middle, middle], [place - 0.4, place + 0.4], color=INK, linewidth=2.2)
    axes.set_yticks(range(len(CONTENDERS)), list(reversed(CONTENDERS)), fontsize=10)
    axes.set_ylim(-0.6, len(CONTENDERS) - 0.4)
    axes.xaxis.set_major_formatter("{x:g} %")
    axes.tick_params(axis="x", labelsize=11)
    axes.grid(axis="x")
    axes.set_title(f"{task}: {one.comparison.budget / 1e6:g} M evaluations", fontsize=13)
