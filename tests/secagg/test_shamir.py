"""Any t shares give the secret back; t - 1 fit every secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.secagg.shamir import PRIME, SHORT, combine, deal


@st.composite
def dealt(draw):
    prime = draw(st.sampled_from([PRIME, SHORT]))
    xs = draw(st.lists(st.integers(1, 2**14), min_size=1, max_size=25, unique=True))
    t = draw(st.integers(1, len(xs)))
    elements = st.integers(0, prime - 1)
    secret, *coefficients = draw(st.lists(elements, min_size=t, max_size=t))
    return prime, xs, t, secret, coefficients


@given(dealt(), st.randoms(use_true_random=False))
def test_any_t_shares_give_the_secret(case, rng):
    prime, xs, t, secret, coefficients = case
    shares = dict(zip(xs, deal(secret, coefficients, xs, prime), strict=True))
    some = rng.sample(xs, t)
    assert combine(some, [shares[x] for x in some], prime) == secret


@given(dealt())
def test_shares_are_the_polynomials_values(case):
    prime, xs, _, secret, coefficients = case
    slow = [(secret + sum(a * x**i for i, a in enumerate(coefficients, 1))) % prime for x in xs]
    assert deal(secret, coefficients, xs, prime) == slow


@given(dealt(), st.integers(0, SHORT - 1))
def test_fewer_than_t_shares_fit_every_secret(case, other):
    prime, xs, t, secret, coefficients = case
    shares = deal(secret, coefficients, xs, prime)[: t - 1]
    line = [0, *xs[: t - 1]]
    held = [combine(line, [other, *shares], prime, at=x) for x in xs[t - 1 :]]
    assert combine([*xs[: t - 1], xs[-1]], [*shares, held[-1]], prime) == other


def test_a_share_elsewhere_is_foretold():
    xs = [3, 1, 8]
    shares = deal(5, [7, 9], xs, PRIME)
    assert combine(xs, shares, PRIME, at=100) == 5 + 7 * 100 + 9 * 100**2


@pytest.mark.parametrize("prime", [PRIME, SHORT])
def test_the_moduli_are_primes(prime):
    assert all(pow(a, prime - 1, prime) == 1 for a in (2, 3, 5, 7, 11, 13))  # Fermat
