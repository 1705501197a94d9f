"""Participation from 100 % to 1 %, clients from 10 to 10,000."""

from __future__ import annotations

from pathlib import Path

from experiments.harness import Study
from experiments.participation import picture, tables
from experiments.participation.after import train_loss
from experiments.participation.design import cells

STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=list(cells()),
    tables={
        "participation-evaluations": tables.evaluations,
        "participation-rounds": tables.rounds,
        "participation-steps": tables.steps,
    },
    figures={"participation.png": picture.draw},
    extra=train_loss,
)
