"""Chances of a draw without replacement, in exact integers: the same answer on every machine."""

from __future__ import annotations

from functools import lru_cache
from math import comb


def _terms(population: int, marked: int, drawn: int) -> list[int]:
    """Return for i = 0 … min(marked, drawn) how many of the draws hold i marked ones."""
    most = min(marked, drawn)
    least = max(0, drawn - (population - marked))
    term = comb(marked, least) * comb(population - marked, drawn - least)
    terms = [0] * least + [term]
    for i in range(least, most):
        above = (marked - i) * (drawn - i)
        term = term * above // ((i + 1) * (population - marked - drawn + i + 1))
        terms.append(term)
    return terms


@lru_cache(maxsize=4096)
def most_marked(population: int, marked: int, drawn: int, times: int, bits: int) -> int:
    """Return the least c such that more than c marked ones turn up with chance below 2^-bits.

    Args:
        population: how many there are, of which `marked` are marked.
        drawn: how many of them are drawn, all sets equally likely.
        times: in how many draws it may go wrong (a union bound: chances are added).
        bits: of certainty.

    Example:
        >>> most_marked(999, 50, 80, 1000, 40)
        24
    """
    terms = _terms(population, marked, drawn)
    allowed = comb(population, drawn)
    tail = 0
    for c in range(len(terms) - 1, -1, -1):
        tail += terms[c] * times << bits
        if tail >= allowed:
            return c
    return 0


def run_is_unlikely(population: int, marked: int, length: int, bits: int) -> bool:
    """Return whether no `length` neighbours on a shuffled ring are all marked, but for 2^-bits.

    A union bound over the places where such a run may begin.
    """
    if length > marked:
        return True
    return population * comb(marked, length) << bits < comb(population, length)
