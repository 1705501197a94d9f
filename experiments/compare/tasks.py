"""What is compared on what: six tasks, seven contenders, three keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baffle.drivers.compare.spec import Comparison, Contender

KEYS = (0, 1, 2)
TRIALS, SHARE, POINTS = 5, 0.2, 5
OURS = ("baffle", "baffle, own directions")
CONTENDERS: Mapping[str, Mapping[str, Any]] = {
    "baffle": {"algorithm": "baffle"},
    "baffle, own directions": {"algorithm": "baffle", "groups": {"number": 0}},
    "baffle-reference": {"algorithm": "baffle-reference"},
    "fedzo": {"algorithm": "fedzo"},
    "es": {"algorithm": "es"},
    "mezo": {"algorithm": "mezo"},
    "decomfl": {"algorithm": "decomfl"},
}
IID = {"partition": "iid", "partition_options": {}}
SKEWED = {"partition": "dirichlet", "partition_options": {"alpha": 0.3, "min_rows": 8}}
PEOPLE = {"partition": "natural", "partition_options": {"column": "subject"}}
HAPT = {"name": "hapt", "options": {"features": True}}
TEN = {"clients": 10, "participation": 0.5}


def _task(budget: float, data: Mapping[str, Any], **more: Any) -> Comparison:
    """Return a comparison of all contenders on some data."""
    shared = {"data": data, "federation": TEN, **more}
    return Comparison(
        tuple(Contender(name, {**shared, **own}) for name, own in CONTENDERS.items()),
        budget=budget,
        keys=KEYS,
        trials=TRIALS,
        share=SHARE,
        points=POINTS,
        memory=False,
    )


MNIST = {"model": {"name": "mlp", "options": {"widths": [32]}}}
TASKS: Mapping[str, Comparison] = {
    "digits, IID": _task(1e6, {"name": "digits", **IID}),
    "digits, Dirichlet 0.3": _task(1e6, {"name": "digits", **SKEWED}),
    "HAPT, IID": _task(5e5, {**HAPT, **IID}),
    "HAPT, a subject a client": _task(
        5e5, {**HAPT, **PEOPLE}, federation={"clients": 21, "cohort": 5}
    ),
    "MNIST, IID": _task(5e5, {"name": "mnist", **IID}, **MNIST),
    "MNIST, Dirichlet 0.3": _task(5e5, {"name": "mnist", **SKEWED}, **MNIST),
}


def folder_name(task: str) -> str:
    """Return the folder of a task's results.

    Example:
        >>> folder_name("MNIST, Dirichlet 0.3")
        'mnist_dirichlet_03'
    """
    kept = "".join(c for c in task.lower().replace(" ", "_") if c.isalnum() or c == "_")
    return kept.replace("__", "_")
