"""Tables of a study's results, in the pages that show them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.harness.results import Results, replace_text, results_of
from experiments.harness.statistics import spread
from experiments.harness.study import Study

UNKNOWN = "–"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    Example:
        >>> print(table(["a", "b"], [["1", "2"]]))
        | a | b |
        | --- | --- |
        | 1 | 2 |
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(share: float) -> str:
    """Return a share in percent with two decimals, a dash if it is not known."""
    return UNKNOWN if math.isnan(share) else f"{100 * share:.2f}"


def points(difference: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    rounded = round(100 * difference, 2) + 0.0  # so that nothing is shown as minus nothing
    return UNKNOWN if math.isnan(difference) else f"{rounded:+.2f}"


def cost(results: Results, label: str) -> str:
    """Return a table of what runs took, one row a value of a label, and on which machine."""
    values = dict.fromkeys(r.cell.labels[label] for r in results)
    heads = [label, "runs", "seconds a run: median (least to largest)", "load when it began"]
    return table([*heads, "machine"], [_took(results.select(**{label: v}), str(v)) for v in values])


def _took(results: Results, name: str) -> list[str]:
    seconds = spread([float(r.line["wall_seconds"]) for r in results])
    machines = [r.line["machine"] for r in results]
    load = spread([m["load"] for m in machines])
    kinds = {f"{m['cpu']}, {m['cores']} cores, torch {m['torch']}" for m in machines}
    return [
        name,
        str(len(results)),
        f"{seconds.median:.0f} ({seconds.least:.0f} to {seconds.largest:.0f})",
        f"{load.median:.1f} ({load.least:.1f} to {load.largest:.1f})",
        "; ".join(sorted(kinds)),
    ]


def _place(name: str) -> str:
    return re.escape(f"<!-- {name} -->") + "\n.*?<!-- end -->"


def filled(page: str, study: Study, results: Results) -> str:
    """Return a page with the study's tables made anew; other studies' tables stay."""
    for name, make in study.tables.items():
        text = f"<!-- {name} -->\n\n{make(results)}\n\n<!-- end -->".replace("\\", r"\\")
        page = re.sub(_place(name), text, page, flags=re.DOTALL)
    return page


def fill(study: Study) -> None:
    """Write the study's tables into those of its pages that exist."""
    results = results_of(study)
    for path in filter(Path.exists, study.pages_to_fill()):
        before = path.read_text(encoding="utf-8")
        if (after := filled(before, study, results)) != before:
            replace_text(path, after)


def mistakes(study: Study) -> list[str]:
    """Return what in the study's pages is not what its results say, a sentence each."""
    results, found, shown = results_of(study), [], ""
    for path in study.pages_to_fill():
        page = path.read_text(encoding="utf-8") if path.exists() else ""
        shown += page
        if filled(page, study, results) != page:
            found.append(f"{path} does not show what {study.name}'s results say")
    lost = [name for name in study.tables if not re.search(_place(name), shown, re.DOTALL)]
    return found + [f"{study.name}: no page has a place for the table {name}" for name in lost]
