"""MeZO: one Gaussian direction, two probes, plain SGD by a constant step.

As published it trains one model on one machine, `federation.clients = 1`; with more clients all
probe along the same direction and their scalars are averaged. Two things differ because any
deployment needs them: the derivative travels as a 16-bit integer, and the radius 1e-3 is taken to
the next power of two.

Source: Malladi et al., "Fine-Tuning Language Models with Just Forward Passes", NeurIPS 2023,
Algorithm 1, with the radius of its appendix.
"""

from __future__ import annotations

from typing import Any

CHOICES: dict[str, dict[str, Any]] = {
    "probe": {
        "directions": "gaussian",
        "estimator": "central",
        "num_directions": 1,
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
        "schedule": "constant",
    },
}
