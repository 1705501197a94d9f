"""Cells of the second question: how many more evaluations than training examples? See effort.py."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from baffle.bench.machine import machine
from experiments.advice.effort import DIRECTIONS, LENGTHS, MODELS, STEP_SIZES, TARGET, effort


@dataclass(frozen=True)
class EffortCell:
    """All runs of a model by one way, "probes" or "training"."""

    model: str
    way: str

    @property
    def labels(self) -> dict[str, str]:
        """What tells it from others."""
        return {"effort": self.model, "way": self.way}

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of what is run."""
        given = [self.labels, MODELS[self.model], LENGTHS, STEP_SIZES, TARGET, DIRECTIONS]
        return hashlib.sha256(json.dumps(given).encode()).hexdigest()[:12]

    def measured(self) -> dict[str, Any]:
        """Run it, and return its line."""
        started = time.perf_counter()
        runs = effort(self.model, self.way)
        return {
            "cell": self.id,
            "labels": self.labels,
            "summary": {"runs": runs},
            "extra": {},
            "wall_seconds": round(time.perf_counter() - started, 1),
            "machine": machine(),
        }


def effort_cells() -> list[EffortCell]:
    """Return all of them."""
    return [EffortCell(model, way) for model in MODELS for way in ("training", "probes")]
