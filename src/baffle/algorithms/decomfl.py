"""DeComFL: H local steps along shared directions, the server averages the scalars of each.

Each client moves by its own scalars within a round, then everyone goes back and makes the H·K moves
by the averaged ones: θ ← θ - α Σ_h (1/K) Σ_k d̄_hk z_hk, with the same α in both places. H·K
integers up, and as many down to who was there the round before. Two things differ because any
deployment needs them: scalars travel as 16-bit integers, and the radius 1e-3 is taken to the next
power of two.

Source: Li et al., "Achieving Dimension-Free Communication in Federated Learning via Zeroth-Order
Optimization", ICLR 2025, Algorithm 1.
"""

from __future__ import annotations

from typing import Any

CHOICES: dict[str, dict[str, Any]] = {
    "probe": {
        "directions": "gaussian",
        "estimator": "forward",
        "num_directions": 10,
        "num_local_steps": 5,
        "radius": 2.0**-10,
        "pairs": 0,
    },
    "quantisation": {"bits": 16, "step": "auto"},
    "federation": {"weighting": "uniform"},
    "update": {
        "optimiser": "sgd",
        "normalised": False,
        "average": 0.0,
        "step_size": "auto",
        "local_step_size": "auto",
        "schedule": "constant",
    },
}
