"""Shares of which up to c are wrong, c of them anywhere: the secret, or proof that its dealer lied.

If no more than c holders lie, then what an honest dealer dealt is found here. So who is not found
dealt wrong shares, or promised another secret. Gao's algorithm ("A new algorithm for decoding
Reed-Solomon codes", 2003) finds a polynomial of degree t - 1 among m points of which (m - t) / 2
are wrong. Where m < t + 2c, some points are left out before, every choice of them in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import combinations
from math import comb

from baffle.secagg.shamir import PRIME

Poly = list[int]  # coefficients modulo PRIME, the lowest first, the last not 0


def decoding_work(count: int, threshold: int, wrong: int) -> int | None:
    """Return a measure of the work that `decode` does, points² a try; None if it decides nothing.

    Args:
        count: m, how many points there are.
        threshold: t.
        wrong: c, how many of them may be wrong.

    Example:
        >>> decoding_work(7, 5, 1), decoding_work(6, 5, 1), decoding_work(5, 5, 1)
        (49, 216, None)
    """
    left_out = max(0, threshold + 2 * wrong - count)
    return None if left_out > wrong else comb(count, left_out) * count**2


def decode(
    points: Mapping[int, int], threshold: int, wrong: int, right: Callable[[int], bool]
) -> tuple[int, list[int]] | None:
    """Return (secret, coordinates of wrong shares), or None if more than c shares are wrong.

    Args:
        points: shares by coordinate, at least t + c.
        threshold: t.
        wrong: c.
        right: whether a secret is the one that was promised.
    """
    left_out = max(0, threshold + 2 * wrong - len(points))
    for some in combinations(points, left_out):
        found = _polynomial({x: y for x, y in points.items() if x not in some}, threshold)
        if found is None or not right(_value(found, 0)):
            continue
        lies = [x for x, y in points.items() if _value(found, x) != y]
        if len(lies) <= wrong:
            return _value(found, 0), lies
    return None


def _polynomial(points: Mapping[int, int], threshold: int) -> Poly | None:
    """Return the polynomial of degree t - 1 that goes through all but (m - t) / 2 points."""
    count = len(points)
    before, now = [1], _through(points)
    for x in points:
        before = _minus([0, *before], [x * c for c in before])
    scale_before: Poly = []
    scale: Poly = [1]
    while 2 * (len(now) - 1) >= count + threshold:
        quotient, rest = _divided(before, now)
        before, now = now, rest
        scale_before, scale = scale, _minus(scale_before, _times(quotient, scale))
    found, rest = _divided(now, scale)
    return None if rest or len(found) > threshold else found


def _through(points: Mapping[int, int]) -> Poly:
    """Return the polynomial through all points: Newton's divided differences, multiplied out."""
    xs, table = list(points), list(points.values())
    for step in range(1, len(xs)):
        for i in range(len(xs) - 1, step - 1, -1):
            slope = (table[i] - table[i - 1]) * _inverse(xs[i] - xs[i - step])
            table[i] = slope % PRIME
    found: Poly = []
    for x, value in zip(reversed(xs), reversed(table), strict=True):
        found = _minus([value, *found], [x * c for c in found])
    return found


@lru_cache(maxsize=2**12)
def _inverse(difference: int) -> int:
    return pow(difference, -1, PRIME)


def _value(poly: Poly, x: int) -> int:
    value = 0
    for coefficient in reversed(poly):
        value = (value * x + coefficient) % PRIME
    return value


def _minus(a: Poly, b: Poly) -> Poly:
    size = max(len(a), len(b))
    long, short = a + [0] * (size - len(a)), b + [0] * (size - len(b))
    found = [(x - y) % PRIME for x, y in zip(long, short, strict=True)]
    while found and not found[-1]:
        found.pop()
    return found


def _times(a: Poly, b: Poly) -> Poly:
    found = [0] * (len(a) + len(b) - 1) if a and b else []
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            found[i + j] = (found[i + j] + x * y) % PRIME
    return found


def _divided(a: Poly, b: Poly) -> tuple[Poly, Poly]:
    """Return (quotient, rest)."""
    inverse, rest = pow(b[-1], -1, PRIME), list(a)
    quotient = [0] * max(0, len(a) - len(b) + 1)
    for at in range(len(quotient) - 1, -1, -1):
        factor = quotient[at] = rest[at + len(b) - 1] * inverse % PRIME
        for i, coefficient in enumerate(b):
            rest[at + i] = (rest[at + i] - factor * coefficient) % PRIME
    return _minus(quotient, []), _minus(rest, [])
