"""Shamir's sharing of a secret (Shamir 1979): any t of the points of a polynomial of degree t - 1
give it back, and t - 1 say nothing about it. In Python integers modulo a prime.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from math import prod

PRIME = 2**255 - 19  # secrets that keys are made of
SHORT = 2**127 - 1  # secrets that open one message and are worth nothing afterwards


def deal(secret: int, coefficients: Sequence[int], xs: Iterable[int], prime: int) -> list[int]:
    """Return the value at each x of the polynomial that begins with the secret.

    Args:
        secret: 0 … prime - 1.
        coefficients: the t - 1 others, uniform below the prime.
        xs: holders' coordinates, distinct, from 1 (0 is the secret's), below 2^15.
        prime: the field's.

    Example:
        >>> deal(42, [1, 1], [1, 2, 3], PRIME)
        [44, 48, 54]
    """
    downwards = [*reversed(coefficients), secret]
    parts = [downwards[i : i + 16] for i in range(0, len(downwards), 16)]
    shares = []
    for x in xs:
        value = 0
        for part in parts:  # an x has 15 bits: reducing every 16th time keeps numbers short enough
            for coefficient in part:
                value = value * x + coefficient
            value %= prime
        shares.append(value)
    return shares


def combine(xs: Sequence[int], values: Sequence[int], prime: int, at: int = 0) -> int:
    """Return the value at `at` of the polynomial through these points: by default the secret.

    Args:
        xs: t distinct coordinates.
        values: the shares there.
        prime: the field's.
        at: a coordinate, not one of xs.

    Example:
        >>> combine([1, 2, 3], [44, 48, 54], PRIME)
        42
    """
    weights = _weights(tuple(xs), prime, at)
    return sum(map(int.__mul__, weights, values)) % prime


@lru_cache(maxsize=64)
def _weights(xs: tuple[int, ...], prime: int, at: int) -> list[int]:
    """Return Lagrange's weights at a point; one inversion for all of them."""
    below = [prod([x - o for o in xs if o != x]) * (at - x) % prime for x in xs]
    ahead = list(accumulate(below, lambda a, b: a * b % prime, initial=1))
    inverse = pow(ahead[-1], -1, prime)
    full = prod([at - x for x in xs]) % prime
    weights = [0] * len(xs)
    for i in range(len(xs) - 1, -1, -1):
        weights[i] = full * ahead[i] % prime * inverse % prime
        inverse = inverse * below[i] % prime
    return weights
