"""The tables of the study's README, made of its results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baffle.bench.advise.costs import Measured, measured_of
from baffle.bench.advise.trial import CHECKPOINTED, INFERENCE, PROBES, PROBES_LOW, TRAINING, WAYS
from baffle.report.units import count_text, number_text
from experiments.harness.results import replace_text
from experiments.harness.tables import UNKNOWN, table
from experiments.resources.cells import cells

HERE = Path(__file__).parent
MIB = 2**20


@dataclass(frozen=True)
class Point:
    """A family at a size and a batch, by all ways.

    Args:
        family, exponent, batch: which.
        by: way to its figures.
    """

    family: str
    exponent: int
    batch: int
    by: Mapping[str, Measured]

    def probe_in_steps(self, way: str = PROBES) -> float:
        """Return seconds of a probe over seconds of a training step, both on B examples."""
        return self.by[way].unit / self.by[TRAINING].unit

    def checkpointed_in_steps(self) -> float:
        """Return seconds of a checkpointed step over those of a plain one."""
        return self.by[CHECKPOINTED].unit / self.by[TRAINING].unit

    def memory(self, way: str) -> float:
        """Return memory beside the runtime over that of training."""
        return self.by[way].own / self.by[TRAINING].own

    @property
    def dimension(self) -> int:
        """d."""
        return self.by[TRAINING].dimension


def points(lines: Sequence[Mapping[str, Any]]) -> list[Point]:
    """Return what was measured by all ways, small models first."""
    known = {line["cell"]: measured_of(line["summary"]) for line in lines}
    found: dict[tuple[str, int, int], dict[str, Measured]] = {}
    for cell in filter(lambda cell: cell.id in known, cells()):
        place = (cell.family, cell.exponent, cell.batch)
        found.setdefault(place, {})[cell.way] = known[cell.id]
    order = sorted(found, key=lambda p: (p[0], p[1], p[2]))
    return [Point(*place, found[place]) for place in order if set(found[place]) == set(WAYS)]


def filled(page: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the page with its tables made anew."""
    known = points(lines)
    for name, make in TABLES.items():
        place = re.compile(f"<!-- {name} -->\n.*?<!-- end -->", re.DOTALL)
        text = f"<!-- {name} -->\n\n{make(known)}\n\n<!-- end -->"
        page = place.sub(lambda _, text=text: text, page)
    return page


def fill(folder: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write the tables into a folder's README.md, if there is one."""
    path = folder / "README.md"
    if path.exists():
        replace_text(path, filled(path.read_text(encoding="utf-8"), lines))


def time_table(known: Sequence[Point]) -> str:
    """Return seconds: a step's own, and all else in steps."""
    heads = (
        "family", "d", "B", "a step, ms", "a probe, steps", "low memory, steps",
        "checkpointed, steps", "K = 100 probes, steps", "K/5",
    )  # fmt: skip
    rows = [
        [
            p.family,
            count_text(p.dimension),
            str(p.batch),
            number_text(1000 * p.by[TRAINING].unit),
            f"{p.probe_in_steps():.3f}",
            f"{p.probe_in_steps(PROBES_LOW):.3f}",
            f"{p.checkpointed_in_steps():.2f}",
            f"{100 * p.probe_in_steps():.0f}",
            "20",
        ]
        for p in known
    ]
    return table(heads, rows)


def memory_table(known: Sequence[Point]) -> str:
    """Return MiB beside the runtime, and times what training takes."""
    heads = ("family", "d", "B", "inference", "training", "checkpointed", "a round", "low memory")
    return table(heads, [_memory_row(p) for p in known])


def _memory_row(p: Point) -> list[str]:
    def shown(way: str) -> str:
        return f"{p.by[way].own / MIB:.0f}" + (
            "" if way == TRAINING else f" (×{p.memory(way):.2f})"
        )

    ways = (INFERENCE, TRAINING, CHECKPOINTED, PROBES, PROBES_LOW)
    return [p.family, count_text(p.dimension), str(p.batch), *map(shown, ways)]


def summary(known: Sequence[Point]) -> str:
    """Return the ends of both ratios by family."""
    rows = []
    for family in dict.fromkeys(p.family for p in known):
        own = [p for p in known if p.family == family]
        steps = sorted(100 * p.probe_in_steps() for p in own)
        least = [min(p.memory(PROBES), p.memory(PROBES_LOW)) for p in own]
        saved = sum(ratio < 1 for ratio in least)
        middle = f"{steps[len(steps) // 2]:.0f} ({steps[0]:.0f} to {steps[-1]:.0f})"
        rows.append(
            [family, middle, f"{min(least):.2f} to {max(least):.2f}", f"{saved} of {len(own)}"]
        )
    heads = (
        "family", "K = 100 probes in training steps: median (range)",
        "memory of a round over training's, the better mode", "less than training",
    )  # fmt: skip
    return table(heads, rows) if rows else UNKNOWN


TABLES = {"summary": summary, "time": time_table, "memory": memory_table}
