"""What a round's reports, or the sums of its secure groups, come to: one `Total` a set.

A sum needs no more memory than one report; any other rule keeps all of them until the round closes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.aggregation.rules import Rule, as_means, robust_counters

COUNTERS = ("loss", "clips", "nonfinite", "energy", "odd", "even")
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """One client's contribution, or the sum of several.

    Args:
        values: int64 [H·K], already multiplied by weights.
        reports: how many clients' it is.
        weight, weight_squares: sums of the clients' weights and of their squares.
        counters: sums of the fields named in COUNTERS.
    """

    values: Integers
    reports: int
    weight: int
    weight_squares: int
    counters: tuple[int, ...]

    def __add__(self, other: Part) -> Part:
        """Return the sum of two."""
        return Part(
            self.values + other.values,
            self.reports + other.reports,
            self.weight + other.weight,
            self.weight_squares + other.weight_squares,
            tuple(a + b for a, b in zip(self.counters, other.counters, strict=True)),
        )


def nothing(count: int) -> Part:
    """Return the sum of no contributions."""
    return Part(np.zeros(count, dtype=np.int64), 0, 0, 0, (0,) * len(COUNTERS))


class Collector(Protocol):
    """Takes parts, in any order, and gives what they come to."""

    def add(self, part: Part) -> None:
        """Take one."""
        ...

    def total(self) -> Part:
        """Return what they come to; `nothing` of nothing."""
        ...


class Summing:
    """The sum, exact in any order; the configuration's bound proves that it cannot overflow.

    Args:
        count: integers a part.
    """

    def __init__(self, count: int) -> None:
        self._values = np.zeros(count, dtype=np.int64)
        self._rest = nothing(0)

    def add(self, part: Part) -> None:
        """Take one."""
        self._values += part.values
        rest = Part(
            self._rest.values, part.reports, part.weight, part.weight_squares, part.counters
        )
        self._rest = self._rest + rest

    def total(self) -> Part:
        """Return the sum."""
        r = self._rest
        return Part(self._values, r.reports, r.weight, r.weight_squares, r.counters)


class Keeping:
    """Single reports under a robust rule. Each counts as one: weights must be uniform.

    Args:
        count: integers a part.
        rule: how rows become one vector.
    """

    def __init__(self, count: int, rule: Rule) -> None:
        self._count, self._rule, self._parts = count, rule, list[Part]()

    def add(self, part: Part) -> None:
        """Take one."""
        self._parts.append(part)

    def total(self) -> Part:
        """Return what the rule makes of them; nothing of fewer than it needs."""
        parts = self._parts
        if len(parts) < self._rule.least(len(parts)):
            return nothing(self._count)
        found = self._rule.combine(np.stack([p.values for p in parts]))
        counters = tuple(robust_counters(_counters(parts)).tolist())
        return Part(found.values, len(parts), found.weight, found.weight_squares, counters)


def over_groups(rule: Rule, sums: Sequence[Part], count: int) -> Part:
    """Return what a rule makes of the sums of groups that share directions.

    Args:
        rule: a robust one.
        sums: of each group, empty ones among them.
        count: integers a sum.
    """
    parts = [part for part in sums if part.weight]
    if len(parts) < rule.least(len(parts)):
        return nothing(count)
    means, scale = as_means(np.stack([p.values for p in parts]), [p.weight for p in parts])
    found = rule.combine(means)
    reports = sum(p.reports for p in parts)
    each = np.stack([_counters([p])[0] // p.reports for p in parts])
    counters = robust_counters(each).tolist()
    scaled = tuple(c * reports // len(parts) for c in counters)
    weight = found.weight * scale
    squares = weight * weight * len(parts) // (found.weight * reports)
    return Part(found.values, reports, weight, squares, scaled)


def _counters(parts: Sequence[Part]) -> Integers:
    return np.array([p.counters for p in parts], dtype=np.int64)
