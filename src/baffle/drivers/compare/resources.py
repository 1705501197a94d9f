"""What algorithms are held equal in, and how it is read off a run's rows.

An example evaluation is one forward pass of one example. A gradient of one example is counted as
three: its forward pass, and a backward pass of two times the multiply-adds, one for the gradient
by the inputs and one by the weights (Griewank and Walther 2008, chapter 4: at most 5, about 3 for
dense layers). A checkpointed one runs forward once more, so it is counted as four.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from baffle.drivers.local.metrics import Row
from baffle.errors import ConfigError

BACKWARD = 2  # forward passes that a backward pass is counted as
SUFFIXES = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
TIMES = {"s": 1, "min": 60, "h": 3600}
_NUMBER = re.compile(r"([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([a-z]*)")


@dataclass(frozen=True)
class Resource:
    """One row of what can be held equal.

    Args:
        unit: what a budget is counted in, in words.
        default: budget where none is given and no configuration says how long to run.
        exact: whether a round's cost is known in advance; else it is measured and varies.
        of_run: whether it is used up round by round; peak memory is not.
    """

    unit: str
    default: float
    exact: bool = True
    of_run: bool = True


RESOURCES: dict[str, Resource] = {
    "rounds": Resource("rounds", 50),
    "evaluations": Resource("example evaluations", 1e6),
    "bytes": Resource("bytes up and down a client", 2e5),
    "seconds": Resource("seconds on one thread", 5, exact=False),
    "memory": Resource("bytes of a client's peak memory", 512e6, of_run=False),
}


def costs_of(row: Row, clients: int) -> dict[str, float]:
    """Return what a run has used after a round.

    Args:
        row: of metrics.jsonl; its counts are running totals of all clients.
        clients: registered; bytes are a client's share.

    Returns:
        `rounds`, `evaluations` (forward passes of an example, gradients counted as three),
        `gradients` (examples differentiated), `bytes_up` and `bytes_down` a client, `bytes` their
        sum, `seconds`.

    Example:
        >>> row = {"round": 2, "example_evaluations": 10, "gradient_examples": 10,
        ...        "bytes_up": 6, "bytes_down": 4, "seconds": 1.5}
        >>> costs = costs_of(row, clients=2)
        >>> costs["evaluations"], costs["bytes"]
        (30, 5.0)
    """
    gradients = row.get("gradient_examples") or 0
    up, down = row["bytes_up"] / clients, row["bytes_down"] / clients
    return {
        "rounds": row["round"],
        "evaluations": row["example_evaluations"] + BACKWARD * gradients,
        "gradients": gradients,
        "bytes_up": up,
        "bytes_down": down,
        "bytes": up + down,
        "seconds": row["seconds"],
    }


def minus(costs: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Return what was used between two rows."""
    return {name: value - before[name] for name, value in costs.items()}


def parse_budget(text: str, equal: str) -> float:
    """Return a budget in its resource's unit.

    Args:
        text: a number, perhaps with k, M, G, Ki, Mi, Gi, with or without B; or s, min, h.
        equal: the resource.

    Raises:
        ConfigError: no such number.

    Example:
        >>> parse_budget("4M", "evaluations"), parse_budget("1.5 min", "seconds")
        (4000000.0, 90.0)
        >>> parse_budget("300MiB", "memory")
        314572800.0
    """
    found = _NUMBER.fullmatch(text.strip().lower())
    units = TIMES | {"": 1} if equal == "seconds" else SUFFIXES
    unit = found[2] if found else ""
    if equal in ("bytes", "memory"):
        unit = unit.removesuffix("b")
    value = float(found[1]) * units[unit] if found and unit in units else math.nan
    if not 0 < value < math.inf:
        raise ConfigError(
            f"--budget must be a positive number of {RESOURCES[equal].unit}, such as "
            f"{_example(equal)}, got {text!r}"
        )
    return value


def _example(equal: str) -> str:
    examples = {"rounds": "50", "evaluations": "4M", "bytes": "200kB", "seconds": "30s or 5min"}
    return examples.get(equal, "300MB")
