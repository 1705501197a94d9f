"""A study whose cells are no runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.harness import Cell, Results, Study, table


def doubled(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is "measured"."""
    return {"twice": 2 * asked["number"]}


def shown(results: Results) -> str:
    """Return the table."""
    return table(["twice"], [[f"{r.figure('twice'):g}"] for r in results])


STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[Cell({"number": n}, {"measure": {"number": n}}) for n in (3, 4)],
    tables={"twice": shown},
    measure=doubled,
)
