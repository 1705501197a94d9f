"""Our defaults: rank-one ±1 directions, choices from measurements, scale-free steps."""

from __future__ import annotations

from typing import Any

CHOICES: dict[str, dict[str, Any]] = {
    "probe": {
        "directions": "rank_one",
        "estimator": "auto",
        "radius": "auto",
        "num_directions": 128,
        "batch": 8,
        "candidates": "auto",
    },
    "quantisation": {"bits": 16, "step": "auto"},
    "federation": {"weighting": "uniform"},
    "update": {
        "optimiser": "adam",
        "beta1": 0.9,
        "beta2": 0.99,
        "normalised": True,
        "average": 0.98,
        "step_size": "auto",
        "schedule": "cosine",
    },
}
