"""Which shares are wrong, and when it is the dealer who lied."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.secagg import SecureSpec, parameters
from baffle.secagg.decoding import decode, decoding_work
from baffle.secagg.group import MOST_WORK
from baffle.secagg.shamir import PRIME, deal


def dealt(t, holders, seed):
    rng = random.Random(seed)
    secret, *coins = (rng.randrange(PRIME) for _ in range(t))
    xs = sorted(rng.sample(range(1, 2**14), holders))
    return secret, dict(zip(xs, deal(secret, coins, xs, PRIME), strict=True)), rng


@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 6), st.integers(0), st.data())
@settings(max_examples=60, deadline=None)
def test_up_to_c_wrong_shares_are_found_wherever_they_are(t, c, more, seed, data):
    secret, points, rng = dealt(t, t + c + more, seed)
    liars = data.draw(st.lists(st.sampled_from(sorted(points)), max_size=c, unique=True))
    for x in liars:
        points[x] = (points[x] + rng.randrange(1, PRIME)) % PRIME
    found = decode(points, t, c, lambda value: value == secret)
    assert found == (secret, sorted(liars))


@given(st.integers(2, 6), st.integers(1, 2), st.integers(0, 4), st.integers(0))
@settings(max_examples=40, deadline=None)
def test_a_dealer_who_lied_is_told_apart(t, c, more, seed):
    """Its shares fit no secret, or another one than it promised, or too few of them fit."""
    secret, points, rng = dealt(t, t + c + more, seed)
    assert decode(points, t, c, lambda value: value == (secret + 1) % PRIME) is None
    wrong = rng.sample(sorted(points), c + 1)
    few = {x: (y + (x in wrong) * rng.randrange(1, PRIME)) % PRIME for x, y in points.items()}
    assert decode(few, t, c, lambda value: value == secret) is None
    noise = {x: rng.randrange(PRIME) for x in points}
    assert decode(noise, t, c, lambda value: value == secret) is None


def test_with_the_numbers_of_a_group_of_a_hundred():
    """42 neighbours, 32 of them enough, 5 liars, each in every window."""
    secret, points, _ = dealt(32, 42, 1)
    for x in sorted(points)[::9]:
        points[x] ^= 1
    found = decode(points, 32, 5, lambda value: value == secret)
    assert found is not None
    assert found[1] == sorted(points)[::9]


@pytest.mark.parametrize(("zero", "t"), [(0, 1), (0, 3)])
def test_shares_that_are_all_the_same(zero, t):
    points = dict.fromkeys(range(1, 8), zero)
    assert decode(points, t, 1, lambda value: value == zero) == (zero, [])


@pytest.mark.parametrize(
    ("clients", "missing"),
    [(3, None), (4, None), (5, 0), (6, 0), (20, 7), (30, 11), (33, 2), (50, 2), (100, 2), (150, 0)],
)
def test_how_many_neighbours_may_be_missing_as_the_page_says(clients, missing):
    """docs/privacy.md, who spoils a sum."""
    numbers = parameters(clients, SecureSpec())
    k, t, c = numbers.neighbours, numbers.threshold, max(1, numbers.colluding)
    work = {k - m: decoding_work(m, t, c) for m in range(t, k + 1)}
    found = [gone for gone, much in work.items() if much is not None and much <= MOST_WORK]
    assert max(found, default=None) == missing


def test_too_few_shares_decide_nothing():
    assert decoding_work(8, 5, 2) is not None
    assert decoding_work(7, 5, 2) is not None
    assert decoding_work(6, 5, 2) is None
