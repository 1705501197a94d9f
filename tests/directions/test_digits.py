"""Every product of a cut obeys its bound, and together they are the sum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.directions.digits import cut
from baffle.errors import BoundError

magnitudes = st.sampled_from([1, 2**10, 2**18 - 1, 2**18, 2**24, 2**40, 2**55])
coefficients = magnitudes.flatmap(
    lambda m: st.lists(st.integers(-m, m).filter(bool), min_size=1, max_size=200)
).filter(lambda q: sum(map(abs, q)) < 2**63)


@given(coefficients, st.integers(1, 300))
def test_a_cut_is_exact_and_holds_every_row_once(values, longest):
    plan = cut(np.array(values, dtype=np.int64), longest)
    joined = [0] * len(values)
    row = 0
    for chunk in plan.chunks:
        assert chunk.start == row < chunk.stop <= row + longest
        row = chunk.stop
        for digit in chunk.digits:
            whole = [int(v) for v in digit.values]
            assert digit.values.dtype == np.float32
            assert sum(map(abs, whole)) < 2**24
            for k, v in enumerate(whole, chunk.start):
                joined[k] += v * digit.shift
    assert joined == values
    assert plan.products == sum(len(c.digits) for c in plan.chunks)


@given(coefficients)
def test_the_total_s_type_holds_every_partial_sum(values):
    limit = sum(map(abs, values))
    holds = {"float32": 2**24, "float64": 2**53, "int64": 2**63}
    assert limit < holds[cut(np.array(values, dtype=np.int64), 64).total]


def test_at_the_first_bound():
    below, at = (cut(np.array([2**24 - 2, last]), 9) for last in (1, 2))
    assert (below.total, below.products) == ("float32", 1)
    assert (at.total, at.products) == ("float64", 2)


def test_ordinary_rounds_need_one_product():
    """Ten clients of weight one, 16 bits, 32 directions."""
    assert cut(np.full(32, 10 * 32_767), 1024).products == 1


def test_64_rows_of_full_digits_fit_into_one_product():
    plan = cut(np.full(128, 2**18 - 1), 1024)
    assert [(c.start, c.stop) for c in plan.chunks] == [(0, 64), (64, 128)]


def test_a_sum_past_64_bits_is_refused():
    with pytest.raises(BoundError, match=r"2\^63"):
        cut(np.array([2**62, -(2**62)]), 9)
    with pytest.raises(BoundError, match=r"2\^63"):
        cut(np.array([-(2**63)]), 9)
