"""Runs that are broken on purpose and runs that are not: settings over BASE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.harness.study import merged

Settings = Mapping[str, Any]
BASE: Settings = {
    "rounds": 120,
    "update": {"step_size": 0.03},  # near what a calibration finds; it would double the time
    "output": {"evaluate_every": 0},
    "engine": {"threads": 1, "chunk": 64, "clients": 5},
}
IID = {"data": {"partition": "iid", "partition_options": {}}}
ONE_LABEL = {
    "data": {"partition": "pathological", "partition_options": {"classes_per_client": 1}},
    "federation": {"participation": 0.1},
}
# Without a division by the derivatives' size what is clipped away is missed.
PLAIN = {"update": {"optimiser": "sgd", "normalised": False, "step_size": 0.3}}
PRIVATE = {
    "rounds": 60,
    "model": {"name": "linear"},
    "probe": {"num_directions": 64, "estimator": "mean_baseline", "pairs": 0, "batch": 0},
    "update": {"optimiser": "momentum", "step_size": 0.4},
    "secure": {"sums": True, "simulate": "sum"},
    "federation": {"clients": 100, "cohort": 100},
    "quantisation": {"step": 2.0**-13},
    "privacy": {"unit": "client"},
}
MNIST = {
    "rounds": 60,
    "data": {"name": "mnist", "options": {"size": 28}},
    "model": {"name": "mlp", "options": {"widths": [32]}},
}
HALF: Settings = {"engine": {"precision": "bfloat16"}}  # a loss has 8 bits
BATCH_NORM = {"model": {"name": "own"}}  # see model.py

# By name: which check has to come first, and what is set.
BROKEN: Mapping[str, tuple[str, Settings]] = {
    "radius too large": ("radius", {"probe": {"radius": 0.5}}),
    "radius too small": ("radius", {"probe": {"radius": 2.0**-40}}),
    "step size too large": ("step_size", {"update": {"step_size": 3.0}}),
    "step size too small": ("step_size", {"update": {"step_size": 1e-5}}),
    "clipping": ("clipping", merged({"quantisation": {"step": 2.0**-20, "bits": 8}}, PLAIN)),
    "BatchNorm": ("batch_norm", BATCH_NORM),
    "K too small": ("directions", {"probe": {"num_directions": 4, "pairs": 2}}),
    "half precision": ("precision", merged(HALF, {"probe": {"radius": 2.0**-12}})),
    "one label a client": ("drift", ONE_LABEL),
    "quantisation too coarse": ("quantisation", {"quantisation": {"step": 512.0}}),
}
HEALTHY: Mapping[str, Settings] = {
    "default": {},
    "IID": IID,
    "4 bits": {"quantisation": {"bits": 4}},
    "half precision, automatic radius": HALF,
    "the paper's recipe": {"algorithm": "baffle-paper", "update": {"step_size": 0.01}},
    "secure sums": {"secure": {"sums": True, "simulate": "sum"}, "federation": {"clients": 20}},
    "privacy, ε = 8": merged(PRIVATE, IID),
    "MNIST": MNIST,
}
