"""Algorithm 1 as published: shared Gaussian directions, forward differences, Adam, EMA.

The paper's recipes (radius 1e-4, Adam β = (0.9, 0.99), lr 0.01, L2 5e-4, EMA 0.995, weights by
examples) with directions from the shared seed, as its Algorithm 1 says; its reference code draws
them anew at each client. The radius is the power of two next to 1e-4. Two things differ because
any deployment needs them: derivatives travel as 16-bit integers, and the average of the weights
moves once a round.

Source: Feng et al. 2024, Algorithm 1 and appendix; reference code of January 2023.
"""

from __future__ import annotations

from typing import Any

CHOICES: dict[str, dict[str, Any]] = {
    "probe": {
        "directions": "gaussian",
        "estimator": "forward",
        "radius": 2.0**-13,
        "pairs": 0,
    },
    "quantisation": {"bits": 16, "step": "auto"},
    "federation": {"weighting": "examples"},
    "update": {
        "optimiser": "adam",
        "beta1": 0.9,
        "beta2": 0.99,
        "l2": 5e-4,
        "normalised": False,
        "average": 0.995,
        "step_size": 0.01,
        "schedule": "constant",
    },
}
