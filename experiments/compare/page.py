"""The study's tables, made of its results."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from baffle.drivers.compare.spec import Comparison
from baffle.drivers.compare.store import read_lines
from baffle.report.compared import Compared, Entry, compared
from baffle.report.units import count_text
from experiments.compare.tasks import CONTENDERS, OURS, TASKS, folder_name
from experiments.harness.results import replace_text
from experiments.harness.statistics import Interval, interval
from experiments.harness.tables import points, table

HERE = Path(__file__).parent
IMAGE = HERE.parent.parent / "docs" / "images" / "compare.png"
NONE = "–"


def read(folder: Path, task: str) -> dict[str, Mapping[str, Any]]:
    """Return a task's lines of results, by cell."""
    return read_lines(folder / "results" / folder_name(task))


def all_found(folder: Path, tasks: Mapping[str, Comparison] = TASKS) -> dict[str, Compared]:
    """Return what every task came to, as far as it is known."""
    return {
        task: compared(comparison, read(folder, task), folder) for task, comparison in tasks.items()
    }


def accuracies(found: Mapping[str, Compared]) -> str:
    """Return the table of accuracies: a row a task, a column a contender."""
    rows = [[task, *_shown(one)] for task, one in found.items()]
    return table(["test accuracy, %", *CONTENDERS], rows)


def _shown(one: Compared) -> Iterator[str]:
    entries = {e.name: e for e in one.entries}
    for name in CONTENDERS:
        spread = entries[name].spread
        if spread is None:
            yield NONE
            continue
        low, middle, high = (100 * x for x in (spread.low, spread.median, spread.high))
        yield f"{middle:.1f} ({low:.1f}–{high:.1f})"


def verdicts(found: Mapping[str, Compared]) -> str:
    """Return for each task how far ours lie above the best other, and whether that is noise."""
    rows = []
    for task, one in found.items():
        entries = {e.name: e for e in one.entries if e.spread}
        others = [e for e in one.entries if e.spread and e.name not in OURS]
        if not others:
            rows.append([task, NONE, *[NONE] * (2 * len(OURS))])
            continue
        best = others[0]
        cells = [c for name in OURS for c in _against(entries.get(name), best)]
        rows.append([task, f"{best.name} {100 * best.spread.median:.1f}", *cells])
    heads = [h for name in OURS for h in (f"{name} minus it, 95 %", "so it is")]
    return table(["", "best other method", *heads], rows)


def _against(entry: Entry | None, best: Entry) -> list[str]:
    if entry is None:
        return [NONE, NONE]
    found = difference(entry, best)
    return [f"{points(found.mean)} ± {points(found.half).removeprefix('+')}", judged(found)]


def difference(entry: Entry, other: Entry) -> Interval:
    """Return accuracy minus another's, the same key in both."""
    keys = sorted(entry.accuracy.keys() & other.accuracy.keys())
    return interval([entry.accuracy[key] - other.accuracy[key] for key in keys])


def judged(found: Interval) -> str:
    """Return a word for a difference.

    Example:
        >>> judged(Interval(0.02, 0.01)), judged(Interval(-0.02, 0.03))
        ('better', 'within noise')
    """
    if not found.half < abs(found.mean):
        return "within noise"
    return "better" if found.mean > 0 else "**worse**"


def costs(found: Mapping[str, Compared]) -> str:
    """Return what each contender took: rounds, K and B, and the step size, for each task."""
    rows = []
    for task, one in found.items():
        entries = {e.name: e for e in one.entries}
        rows.append([task, *(_cost(entries[name]) for name in CONTENDERS)])
    return table(["rounds; K × B; step size", *CONTENDERS], rows)


def _cost(entry: Entry) -> str:
    if not entry.spread:
        return entry.note or NONE
    rounds = count_text(entry.costs["rounds"])
    return f"{rounds}; {entry.directions} × {entry.batch}; {entry.step_size:.3g}"


TABLES = {"compare": accuracies, "compare-verdicts": verdicts, "compare-costs": costs}


def filled(page: str, folder: Path) -> str:
    """Return a page with the tables made anew."""
    found = all_found(folder)
    for name, make in TABLES.items():
        place = re.compile(rf"<!-- {name} -->\n.*?<!-- end -->", re.DOTALL)
        text = f"<!-- {name} -->\n\n{make(found)}\n\n<!-- end -->"
        page = place.sub(lambda _, text=text: text, page)
    return page


def fill(folder: Path, pages: Sequence[str] = ("README.md",)) -> None:
    """Write the tables into a folder's page, and the picture, if there is such a page."""
    from experiments.compare.picture import save

    for path in (folder / name for name in pages if (folder / name).exists()):
        replace_text(path, filled(path.read_text(encoding="utf-8"), folder))
    save(all_found(folder), IMAGE if folder == HERE else folder / IMAGE.name)
