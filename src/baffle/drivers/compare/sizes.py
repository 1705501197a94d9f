"""Smaller rounds: where the budget would be a run of a few rounds, or a client would not fit.

What an algorithm is published with suits the budgets that it was published for. At a tenth of them
its run would be a dozen rounds, in which nothing is learned, whatever the algorithm. So batches are
halved, for all by one rule, until the budget is a run; many directions on few examples is also what
the theory of these estimates favours.
"""

from __future__ import annotations

import math
from typing import Any

from baffle.baselines import BASELINES
from baffle.config import Settings
from baffle.drivers.compare.spec import Comparison, Contender

SCALED = ("evaluations", "seconds")  # resources of which half the batch takes half
LEAST_BATCH = 4
WHOLE = 2**10  # examples, what a batch of all is taken for where it has to shrink


def halvings(batch: int, rounds: int, least: int) -> int:
    """Return how often a batch is halved so that a budget of `rounds` rounds becomes `least`.

    Args:
        batch: examples; 0 for all, which are left alone.
        rounds: that the budget allows at this batch.
        least: rounds that are wanted.

    Example:
        >>> halvings(32, 30, 100), halvings(32, 12, 100), halvings(32, 500, 100)
        (2, 3, 0)
    """
    if rounds >= least or batch <= LEAST_BATCH:
        return 0
    wanted = math.ceil(math.log2(least / max(1, rounds)))
    return min(wanted, int(math.log2(batch / LEAST_BATCH)))


def smaller(comparison: Comparison, contender: Contender, attempt: int) -> dict[str, Any]:
    """Return the settings of a contender's size.

    Args:
        comparison, contender: whose.
        attempt: 0 as given; else how often the batch is halved. With equal memory algorithms that
            evaluate several points in a pass give that up first.

    Example:
        >>> from baffle.drivers.compare.spec import Comparison, Contender
        >>> smaller(Comparison((Contender("a", {"probe": {"batch": 32}}),)), Contender("a", {}), 2)
        {'probe': {'batch': 8, 'candidates': 0}}
    """
    if not attempt:
        return {}
    settings = comparison.settings(contender, comparison.keys[0])
    batch = settings.probe.batch or WHOLE
    if comparison.equal != "memory":
        return {"probe": _of_batch(settings, batch >> attempt)}
    alone = passes_of_several(settings)
    engine = {"engine": {"low_memory": True}} if alone else {}
    return engine | {"probe": _of_batch(settings, batch >> (attempt - alone))}


def _of_batch(settings: Settings, batch: int) -> dict[str, Any]:
    """Return a batch and the candidates that it is picked from, as they were."""
    return {"batch": max(1, batch), "candidates": settings.probe.candidates}


def most_sizes(settings: Settings) -> int:
    """Return how many sizes there are with equal memory, that of attempt 0 among them."""
    return passes_of_several(settings) + (settings.probe.batch or WHOLE).bit_length()


def passes_of_several(settings: Settings) -> bool:
    """Return whether several points share a pass, which can be given up to save memory."""
    return settings.algorithm not in BASELINES
