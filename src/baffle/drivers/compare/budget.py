"""From a budget to a number of rounds, by what a few rounds cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from baffle.drivers.compare.resources import RESOURCES
from baffle.errors import ConfigError

PILOT = 8  # rounds that are measured first
WARM = 4  # of them, whose cost is counted but not taken for that of later ones
SPARE = {True: 0.99, False: 0.95}  # of a budget, where a round's cost varies; by `exact`

Costs = Mapping[str, float]


def rounds_for(pilot: Sequence[Costs], equal: str, budget: float) -> int:
    """Return the rounds that a budget allows, 0 if not even one.

    Args:
        pilot: running totals after each of the first rounds.
        equal: the resource.
        budget: of it.

    Returns:
        Rounds R with cost(pilot) + (R - pilot)·slope at or below the budget, where the slope is
        that of the pilot's later rounds: the first ones carry what is sent or compiled once. Where
        the later rounds differ from each other, some of the budget is spared, since what comes
        may cost more than what was seen (the pilot is of one run key, and other keys have other
        cohorts); a comparison reads figures at or below the budget only. Where the later rounds
        cost nothing, since all of their clients dropped out, the slope is that of the whole pilot.

    Raises:
        ConfigError: no round of the pilot cost anything.

    Example:
        >>> pilot = [{"bytes": 100.0 + 10 * r} for r in range(1, 9)]
        >>> rounds_for(pilot, "bytes", 300.0), rounds_for(pilot, "bytes", 125.0)
        (20, 2)
    """
    totals = [costs[equal] for costs in pilot]
    within = sum(total <= budget for total in totals)
    if within < len(totals):
        return within
    warm = min(WARM, len(totals) - 1)
    steps = [b - a for a, b in zip(totals[warm - 1 :], totals[warm:], strict=False)]
    if not any(steps):
        steps = [b - a for a, b in zip([0.0, *totals], totals, strict=False)]
    slope = sum(steps) / len(steps)
    if not slope:
        raise ConfigError(
            f"no client answered in {len(totals)} rounds, so nothing tells how many a budget of "
            f"{RESOURCES[equal].unit} allows: expected fewer dropouts, larger cohorts, or rounds "
            "to be held equal"
        )
    if max(steps) - min(steps) > 1e-9 * slope:
        budget = max(totals[-1], budget * SPARE[RESOURCES[equal].exact])
    return len(totals) + int((budget - totals[-1]) / slope + 1e-9)


def at_budget(curve: Sequence[Costs], equal: str, budget: float) -> Costs | None:
    """Return the last evaluated point at or below a budget, None if there is none."""
    return next((p for p in reversed(curve) if p[equal] <= budget * (1 + 1e-9)), None)
