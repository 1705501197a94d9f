"""Federations of real people: writers, subjects, users; and group norm against batch norm."""

from __future__ import annotations

from pathlib import Path

from experiments.harness import Study
from experiments.natural import picture, tables
from experiments.natural.design import cells
from experiments.natural.norms import task
from experiments.natural.people import after

STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=list(cells()),
    tables={
        "natural-divided": tables.divided,
        "natural-norms": tables.norms,
        "natural-steps": tables.steps,
    },
    figures={"natural.png": picture.draw},
    task=task,
    extra=after,
)
