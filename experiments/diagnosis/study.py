"""Runs broken on purpose, each by one setting, and healthy ones: what does the diagnosis say?"""

from __future__ import annotations

from pathlib import Path

from experiments.diagnosis import tables
from experiments.diagnosis.runs import BASE, BROKEN, HEALTHY
from experiments.harness import Study
from experiments.harness.study import Cell, merged

KEYS = 3


def _cell(kind: str, name: str, settings: object, key: int) -> Cell:
    whole = merged(merged(BASE, settings), {"key": key})  # type: ignore[arg-type]
    asked = {"settings": whole, "mend": kind == "broken"}
    return Cell({"key": key, "kind": kind, "run": name}, {"measure": asked})


def _measure(asked):  # type: ignore[no-untyped-def]
    from experiments.diagnosis.work import measure  # torch loads only where a cell is worked on

    return measure(asked)


STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        cell
        for key in range(KEYS)
        for cell in (
            *(_cell("broken", name, settings, key) for name, (_, settings) in BROKEN.items()),
            *(_cell("healthy", name, settings, key) for name, settings in HEALTHY.items()),
        )
    ],
    tables={"broken": tables.broken, "healthy": tables.healthy, "cost": tables.cost},
    measure=_measure,
)
