"""The tables of the study's README, made of its results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from baffle.bench.advise.costs import MIB
from baffle.bench.advise.rule import NAMES
from baffle.report.units import bytes_text, count_text, number_text
from experiments.advice.cells import CASES, WAYS
from experiments.advice.effort import MODELS, TARGET
from experiments.advice.effort_cells import EffortCell
from experiments.advice.judging import OWN, WITHIN, Judged, choice, judged
from experiments.harness.results import replace_text
from experiments.harness.tables import UNKNOWN, table

HERE = Path(__file__).parent
Lines = Mapping[str, Mapping[str, Any]]


def filled(page: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the page with its tables made anew."""
    known = {line["cell"]: line for line in lines}
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


def choices(lines: Lines) -> str:
    """Return the table of choices, a row a case that is measured whole."""
    heads = ("case", "d", "memory", "up a second", "advised", "best when run", "right")
    rows = []
    for case in CASES:
        ways = judged(case, lines)
        if len(ways) < len(WAYS):
            continue
        found = choice(case, ways, lines)
        dimension = ways[0].predicted.measured.dimension
        limit = "no gradients" if case.inference_only else f"{case.memory} MiB"
        advised, best = (
            NAMES.get(way or "", "nothing fits") for way in (found.advised, found.best)
        )
        up = bytes_text(case.up)
        right = "yes" if found.right else "**no**"
        rows.append([case.title, count_text(dimension), limit, up, advised, best, right])
    return table(heads, rows)


def predictions(lines: Lines) -> str:
    """Return the table of predictions over measurements, a row a case and way."""
    heads = (
        "case", "way", "s a round", "predicted", "memory, MiB", "predicted", "bytes up",
        "predicted", "bytes down", "predicted",
    )  # fmt: skip
    rows = [
        _row(way) for case in CASES for way in judged(case, lines) if way.possible
    ]  # fmt: skip
    return table(heads, rows)


def _row(way: Judged) -> list[str]:
    found, ratios = way.found, way.ratios()
    return [
        way.cell.case.title,
        NAMES[way.cell.way],
        number_text(found.seconds),
        _times(ratios["seconds"]),
        f"{found.memory / MIB:.0f}",
        _times(ratios["memory"]),
        bytes_text(found.up),
        _times(ratios["up"]),
        bytes_text(found.down),
        _times(ratios["down"]),
    ]


def _times(ratio: float) -> str:
    near = abs(ratio - 1) <= WITHIN
    return f"×{ratio:.2f}" if near else f"**×{ratio:.2f}**"


def within(lines: Lines) -> str:
    """Return the table of how many predictions came within a quarter."""
    ways = [way for case in CASES for way in judged(case, lines) if way.possible]
    rows = []
    for name in ("seconds", "memory", OWN, "up", "down"):
        ratios = sorted(way.ratios()[name] for way in ways)
        near = sum(abs(r - 1) <= WITHIN for r in ratios)
        ends = f"{ratios[0]:.2f} to {ratios[-1]:.2f}" if ratios else UNKNOWN
        rows.append([name, f"{near} of {len(ratios)}", ends])
    return table(("what", "within 25 %", "predicted over measured, least to largest"), rows)


def efforts(lines: Lines) -> str:
    """Return the table of examples of training and evaluations of probes."""
    heads = ("model", "d", "training, examples", "probes, evaluations", "times")
    rows = []
    for model in MODELS:
        pair = [EffortCell(model, way).id for way in ("training", "probes")]
        if all(each in lines for each in pair):
            one, other = (_reached(lines[each]["summary"]["runs"]) for each in pair)
            times = f"{other['examples'] / one['examples']:.0f}"
            counts = [count_text(found["examples"]) for found in (one, other)]
            rows.append([model, f"{one['dimension']:,}", *counts, times])
    return table(heads, rows)


def _reached(runs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the run that counts: of the last length the step size with the least training loss."""
    last = [run for run in runs if run["length"] == runs[-1]["length"]]
    best = min(last, key=lambda run: run["training_loss"])
    if best["examples"] is None:
        raise ValueError(f"no run came to {TARGET}: lengthen them in effort.py")
    return best


TABLES = {
    "choices": choices,
    "within": within,
    "predictions": predictions,
    "efforts": efforts,
}
