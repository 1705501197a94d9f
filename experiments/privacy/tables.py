"""Accuracy by ε, and what was spent, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from baffle.privacy import Sensitivity, guaranteed_members
from baffle.quantisation import Quantiser
from baffle.secagg import SecureSpec, parameters
from experiments.harness import Results, spread, table
from experiments.harness.tables import UNKNOWN

NONE = "none"
BUDGETS = (8, 4, 2, 1)
BITS = 16  # of an integer, the default
NAMES = {"digits": "digits", "mnist": "MNIST"}


def lines(results: Results) -> Iterator[tuple[str, str, int]]:
    """Yield data, unit and clients of what there is, sorted."""
    labels = [result.cell.labels for result in results]
    yield from sorted({(str(x["data"]), str(x["unit"]), int(x["clients"])) for x in labels})


def accuracy(results: Results) -> str:
    """Return the table of test accuracies."""
    heads = ["data", "unit", "clients", "no noise", *(f"ε = {e}" for e in BUDGETS)]
    rows = []
    for data, unit, clients in lines(results):
        found = results.select(data=data, unit=unit, clients=clients)
        shown = [_spread(found.select(epsilon=e)) for e in (NONE, *BUDGETS)]
        rows.append([NAMES[data], unit, f"{clients:,}", *shown])
    return table(heads, rows)


def _spread(found: Results) -> str:
    if not len(found):
        return UNKNOWN
    of_keys = spread([100 * share for share in found.figures("test_accuracy")])
    return f"{of_keys.median:.1f} ({of_keys.least:.1f} to {of_keys.largest:.1f})"


def budget(results: Results) -> str:
    """Return the table of noise and of what was spent."""
    heads = ["data", "unit", "clients", "asked a round", "rounds", "most of one client"]
    heads += [f"ε = {e}: spent, z, noise" for e in BUDGETS]
    rows = []
    for data, unit, clients in lines(results):
        found = results.select(data=data, unit=unit, clients=clients, key=0)
        cohort = next(iter(found)).cell.settings["federation"]["cohort"]
        rounds, most = (max(found.figures(name)) for name in ("rounds", "participations"))
        shown = [_noise(found.select(epsilon=e)) for e in BUDGETS]
        who = [NAMES[data], unit, f"{clients:,}", f"{cohort:,}"]
        rows.append([*who, f"{rounds:.0f}", f"{most:.0f}", *shown])
    return table(heads, rows)


def _noise(found: Results) -> str:
    if not len(found):
        return UNKNOWN
    (z,), (spent,) = found.figures("noise_multiplier"), found.figures("epsilon")
    share = z * _length(next(iter(found)).cell.settings)
    return f"{spent:.2f}, {z:.2f}, {100 * share:.0f} %"


def _length(settings: Mapping[str, Any]) -> float:
    """Return the noise's length over that of the largest sum, at z = 1.

    The noise is over K lanes; every unit of the round pulling alike makes the largest sum.
    """
    members, probe = settings["federation"]["cohort"], settings["probe"]
    group = parameters(members, SecureSpec())
    honest = guaranteed_members(group.least, group.colluders)
    limit = Quantiser(BITS, 0).limit
    units: int = members * (probe["batch"] if settings["privacy"]["unit"] == "example" else 1)
    lanes: float = probe["num_directions"] * Sensitivity(limit).squared * members / honest
    return math.sqrt(lanes) / (limit * units)
