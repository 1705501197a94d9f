"""Rows as a fleet writes them, and what a run says of itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

RUN = "00112233445566778899aabbccddeeff"


def row(round: int, **changes: Any) -> dict[str, Any]:
    """Return a round's row with every kind of figure in it."""
    return {
        "round": round,
        "loss": 2.0 / round,
        "expected_cosine": 0.25,
        "reports": 8,
        "asked": 10,
        "late": 1,
        "missing": 2,
        "abandoned": False,
        "deadline_hit": True,
        "estimator": "central",
        "even_to_odd": math.nan,
        "bytes_up": 100 * round,
        "bytes_down": 1000 * round,
        "refused": {"late": round},
        "faults": {"timeout": 2 * round},
        "digest": f"{round:064x}",
    } | changes


def abandoned(round: int) -> dict[str, Any]:
    return row(round, loss=math.nan, reports=0, missing=10, abandoned=True)


@pytest.fixture
def about(tmp_path: Path) -> dict[str, Any]:
    settings = {"algorithm": "baffle", "rounds": 5, "probe": {"radius": 2.0**-9, "batch": 8}}
    return {
        "run": RUN,
        "run_dir": str(tmp_path / "run"),
        "round": 0,
        "rounds": 5,
        "settings": settings,
    }


SUMMARY = {"rounds": 5, "rounds_planned": 5, "digest": f"{5:064x}", "test_loss": None}
