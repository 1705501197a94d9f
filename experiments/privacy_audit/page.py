"""The table of the study's README, made of its results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.harness.results import replace_text
from experiments.harness.tables import table
from experiments.privacy_audit.cells import CELLS, Cell

HERE = Path(__file__).parent
PLACE = re.compile(r"<!-- audit -->\n.*?<!-- end -->", re.DOTALL)
HEADS = (
    "unit", "rounds", "q", "z", "accountant's ε", "proven ε, any mechanism", "of the claim",
    "proven ε, if Gaussian", "of the claim",
)  # fmt: skip


def filled(page: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the page with its table made anew."""
    known = {line["cell"]: line["summary"] for line in lines}
    rows = [_row(cell, known[cell.id]) for cell in CELLS if cell.id in known]
    text = f"<!-- audit -->\n\n{table(HEADS, rows)}\n\n<!-- end -->"
    return PLACE.sub(lambda _: text, page)


def fill(folder: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write the table into a folder's README.md, if there is one."""
    path = folder / "README.md"
    if path.exists():
        replace_text(path, filled(path.read_text(encoding="utf-8"), lines))


def _row(cell: Cell, found: Mapping[str, Any]) -> list[str]:
    claimed, proven, gaussian = (found[k] for k in ("claimed", "proven", "proven_gaussian"))
    name = f"control: {cell.shares} share of 3" if cell.control else cell.unit
    shown = [] if gaussian is None else [f"{gaussian:.2f}", f"{100 * gaussian / claimed:.0f} %"]
    return [
        name,
        str(cell.rounds),
        "–" if cell.sampling is None else f"{cell.sampling:g}",
        f"{found['noise_multiplier']:.3f}",
        f"{claimed:.2f}",
        f"{proven:.2f}",
        f"{100 * proven / claimed:.0f} %",
        *(shown or ["–", "–"]),
    ]
