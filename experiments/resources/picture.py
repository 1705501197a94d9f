"""The study's picture: time and memory of probes beside training, over the number of weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baffle.bench.advise.trial import CHECKPOINTED, PROBES, PROBES_LOW
from experiments.harness.pictures import COLOURS, LEFT, RIGHT, SOFT, slide
from experiments.harness.results import FILE
from experiments.harness.study import IMAGES
from experiments.resources.page import Point, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "resources.png"
__all__ = ["IMAGES", "draw", "stale"]
FAMILIES = {"mlp": "perceptrons of eight layers", "conv": "eight convolutions on 32×32 images"}
LINES = {1: ":", 8: "--", 64: "-"}  # by B
POWERS = {4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸"}
MEMORY_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10)
WAYS = {CHECKPOINTED: "checkpointed", PROBES: "probes", PROBES_LOW: "probes, low memory"}


def draw(folder: Path, images: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    """Draw the picture; the file says which results it shows."""
    import matplotlib.style

    from baffle.report.curves import STYLE

    known, path = points(lines), images / NAME
    with matplotlib.style.context(dict(STYLE), after_reset=True):
        figure = slide(
            "Probes beside training: time, and memory of a client's round",
            "Over training steps on as many examples; memory beside Python and torch. One thread.",
        )
        width, gap = (RIGHT - LEFT - 0.09) / 2, 0.09
        for column, family in enumerate(FAMILIES):
            own = [p for p in known if p.family == family]
            left = LEFT + column * (width + gap)
            _time(figure.add_axes((left, 0.505, width, 0.265)), own, FAMILIES[family])
            _memory(figure.add_axes((left, 0.11, width, 0.30)), own)
        about = {"Software": None, "Results": _digest(folder)}
        figure.savefig(path, format="png", metadata=about)
    return path


def _time(axes: Axes, own: Sequence[Point], title: str) -> None:
    axes.set_title(title, loc="left", size=15, weight="bold", pad=34)
    for batch, style in LINES.items():
        some = [p for p in own if p.batch == batch]
        ratio = [100 * p.probe_in_steps() for p in some]
        axes.plot([p.dimension for p in some], ratio, style, color=COLOURS[0], marker="o",
                  label=f"B = {batch}")  # fmt: skip
    axes.axhline(20, color=SOFT, linewidth=1)
    axes.text(1.0, 20, "K/5 ", transform=axes.get_yaxis_transform(), ha="right", va="bottom",
              color=SOFT, size=12)  # fmt: skip
    axes.set_ylabel("100 probes,\nin training steps", size=12)
    axes.set_ylim(bottom=0)
    _finish(axes)


def _memory(axes: Axes, own: Sequence[Point]) -> None:
    for (way, label), colour in zip(WAYS.items(), COLOURS[1:], strict=False):
        for batch, style in LINES.items():
            some = [p for p in own if p.batch == batch]
            ratio = [p.memory(way) for p in some]
            axes.plot([p.dimension for p in some], ratio, style, color=colour, marker="o",
                      markersize=5, label=label if batch == 64 else None)  # fmt: skip
    axes.axhline(1, color=SOFT, linewidth=1)
    axes.set_ylabel("memory of a round,\ntraining = 1", size=12)
    axes.set_yscale("log")
    ticks = [t for t in MEMORY_TICKS if _among(t, axes.get_ylim())]
    axes.set_yticks(ticks, [f"×{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("weights d", size=12)
    _finish(axes)


def _finish(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xticks([float(10**power) for power in POWERS], [f"10{POWERS[p]}" for p in POWERS])
    axes.minorticks_off()
    axes.tick_params(labelsize=11)
    axes.legend(frameon=False, fontsize=11, ncols=3, loc="upper left", bbox_to_anchor=(0, 1.2))


def _among(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]


def stale(folder: Path, images: Path) -> list[str]:
    """Return the picture's name if it was not drawn from the results as they are."""
    path, wanted = images / NAME, _digest(folder).encode()
    return [] if path.exists() and wanted in path.read_bytes() else [NAME]


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
