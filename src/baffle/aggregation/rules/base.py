"""What every rule shares: its result, its contract, and the checks on the rows it is given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.directions.exact import INT64_EXACT, largest_of
from baffle.errors import BoundError, ConfigError

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Combined:
    """What a rule made of the rows; the round's estimate is `values / weight`.

    Args:
        values: int64 [L].
        weight: what to divide by; the number of rows that each value is a sum of.
        weight_squares: sum of the squared weights of those rows, each 1.
        used: numbers of the rows that went in, ascending; None where that differs by coordinate.
    """

    values: Integers
    weight: int
    weight_squares: int
    used: tuple[int, ...] | None


class Rule(Protocol):
    """A way to make one vector of many, of which some are hostile.

    Its result is exact, the same on every machine and in any order of the rows. The rows count
    alike: a weight is a claim, and a rule against false claims cannot build on one.
    """

    @property
    def name(self) -> str:
        """The row of RULES."""
        ...

    def least(self, rows: int) -> int:
        """Return how many rows it takes against the hostile ones that are assumed of so many."""
        ...

    def withstands(self, rows: int) -> int:
        """Return how many hostile rows of so many the rule is made for."""
        ...

    def weight(self, rows: int) -> int:
        """Return the weight of the result of so many rows."""
        ...

    def combine(self, rows: Integers) -> Combined:
        """Combine int64 [n, L].

        Raises:
            ConfigError: fewer rows than the rule can work with.
            BoundError: a sum would leave 64 bits.
        """
        ...


def portion(share: float, count: int) -> int:
    """Return floor(share × count), of the share as it is written: 0.29 of 100 is 29, not 28.

    Example:
        >>> portion(0.29, 100), int(0.29 * 100)
        (29, 28)
    """
    return math.floor(Fraction(str(float(share))) * count)


def assumed(share: float, rows: int) -> int:
    """Return the hostile rows that a rule assumes: the share, and at least one."""
    return max(1, portion(share, rows))


def require_share(name: str, share: float) -> None:
    """Raise ConfigError unless a share lies in (0, 1/2)."""
    if not 0 < share < 0.5:
        raise ConfigError(
            f"{name}: expected a share above 0 and below 0.5 (no rule withstands a hostile half), "
            f"got {share}"
        )


def require_rows(rule: Rule, rows: int) -> None:
    """Raise ConfigError unless there are enough rows for a rule."""
    least, hostile = rule.least(rows), rule.withstands(rows)
    if rows < least:
        against = f" to withstand {hostile}" if hostile else ""
        raise ConfigError(
            f"{rule.name}: expected at least {least} reports (or groups){against}, got {rows}: ask "
            "more clients, form more groups, assume a smaller hostile share or choose another rule"
        )


def require_each(rule: Rule, fewest: int, most: int) -> None:
    """Raise ConfigError unless a rule works with every number of rows from `fewest` to `most`.

    For the start of a run: `fewest` is what a round may close with, `most` the cohort (or groups).
    """
    for rows in range(fewest, most + 1):
        require_rows(rule, rows)


def require_sums(rule: str, rows: Integers, terms: int) -> Integers:
    """Return int64 [n, L] whose sums of `terms` rows fit into 64 bits.

    Raises:
        BoundError: they would not.
    """
    checked = np.asarray(rows, dtype=np.int64)
    largest = largest_of(checked)
    if largest * terms >= INT64_EXACT:
        raise BoundError(
            f"{rule}: {terms} terms of up to {largest} = {terms * largest}, not below 2^63: "
            "use fewer bits, a smaller weight cap or smaller groups"
        )
    return checked
