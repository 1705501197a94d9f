"""The bounds of exact sums, and beyond each of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.directions.exact import bound, float_for, limbs
from baffle.directions.factors import Dense, RankOne
from baffle.errors import BoundError


def test_the_narrowest_float_is_chosen_by_bound():
    assert float_for(2**24 - 1) is np.float32
    assert float_for(2**24) is np.float64
    assert float_for(2**53 - 1) is np.float64
    assert float_for(2**53) is None


@given(
    st.lists(st.integers(-(2**56), 2**56), min_size=1, max_size=20),
    st.integers(0, 2**32),
)
def test_limbs_past_each_bound_give_the_integer_sum(coefficients, seed):
    q = np.array(coefficients, dtype=np.int64)
    z = np.random.default_rng(seed).integers(-1, 2, (len(q), 6)).astype(np.int8)
    expected = [sum(int(a) * int(b) for a, b in zip(q, column, strict=True)) for column in z.T]
    assert Dense(z, 1).weighted_sum(q).tolist() == expected
    assert (
        sum(shift * (limb @ z).astype(np.int64) for shift, limb in limbs(q, 1)).tolist() == expected
        if q.any()
        else True
    )


@pytest.mark.parametrize("total", [2**24 - 1, 2**24, 2**24 + 1, 2**53 - 1, 2**53, 2**53 + 1, 2**62])
def test_on_and_around_each_bound(total):
    q = np.array([total - 1, 1], dtype=np.int64)
    assert bound(q, 1) == total
    z = np.ones((2, 3), np.int8)
    assert Dense(z, 1).weighted_sum(q).tolist() == [total] * 3
    one = np.ones((2, 1), np.int8)
    assert RankOne(one, z, one, (1, 3)).weighted_sum(q).tolist() == [[total] * 3]


def test_a_sum_that_could_leave_64_bits_is_refused_with_the_arithmetic():
    with pytest.raises(BoundError, match=r"18446744073709551614 .* 2\^63"):
        list(limbs(np.array([2**63 - 1, 2**63 - 1]), 1))
