"""Sums by bits and tables against sums of expanded signs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.directions.gaussian import GaussianTotals, signed_table
from baffle.directions.packed import as_bytes
from baffle.directions.tables import SignTotals, sign_table, sum_table


def drawn(seed, rows, words, largest):
    rng = np.random.default_rng(seed)
    packed = rng.integers(0, 2**32, (rows, words), dtype=np.uint32)
    return packed, rng.integers(-largest, largest, rows, endpoint=True)


def expanded(packed):
    bits = np.unpackbits(as_bytes(packed), axis=1, bitorder="little")
    return 1 - 2 * bits.astype(np.int64)


def test_a_table_of_sums_is_indexed_by_the_directions_bits():
    q = np.array([1, 10, 100, -1000])
    table = sum_table(q, np.dtype(np.int64))
    assert table[0b0000] == 1 + 10 + 100 - 1000
    assert table[0b1010] == 1 - 10 + 100 + 1000
    assert np.array_equal(table[:16], np.tile(table[:16], 2**12)[-16:])


def test_signs_of_a_byte_are_those_of_its_bits_lowest_first():
    assert sign_table()[0b00000101].tolist() == [-1, 1, -1, 1, 1, 1, 1, 1]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    rows=st.sampled_from([1, 2, 15, 16, 17, 32, 40]),
    blocks=st.integers(1, 9),
    bits=st.sampled_from([1, 15, 25, 26, 40, 56]),
    cut=st.integers(0, 40),
)
def test_sums_of_signs_are_the_slow_ones(seed, rows, blocks, bits, cut):
    packed, q = drawn(seed, rows, 4 * blocks, 2**bits)
    totals = SignTotals(4 * blocks + 8, int(np.abs(q).sum()))
    totals.begin(4 * blocks)
    for part in (slice(0, cut), slice(cut, None)):
        if len(q[part]):
            totals.add(packed[part], q[part])
    expected = (q @ expanded(packed)).astype(np.float32)
    assert np.array_equal(totals.rounded(0, 128 * blocks), expected)
    assert np.array_equal(totals.rounded(16, 16 + 51), expected[16:67])


@pytest.mark.parametrize("limit", [2**31 - 1, 2**31])
def test_sums_on_both_sides_of_32_bits(limit):
    totals = SignTotals(4, limit)
    totals.begin(4)
    totals.add(np.zeros((2, 4), np.uint32), np.array([limit - 1, 1]))
    assert set(totals.rounded(0, 128)) == {np.float32(limit)}


def test_a_second_stretch_forgets_the_first():
    packed, q = drawn(0, 20, 8, 100)
    totals = SignTotals(8, int(np.abs(q).sum()))
    totals.begin(8)
    totals.add(packed, q)
    totals.begin(4)
    totals.add(packed[:, 4:], q)
    assert np.array_equal(totals.rounded(0, 128), q @ expanded(packed)[:, 128:])


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(1, 20),
    blocks=st.integers(1, 9),
    bits=st.sampled_from([1, 15, 35, 42]),
)
def test_sums_of_gaussian_directions_are_the_slow_ones(seed, rows, blocks, bits):
    packed, q = drawn(seed, rows, 4 * blocks, 2**bits)
    entries = signed_table()[packed.astype("<u4").view("<u2")].astype(np.int64)
    totals = GaussianTotals(4 * blocks, int(np.abs(q).sum()) * 17_715)
    totals.begin(4 * blocks)
    totals.add(packed, q)
    assert np.array_equal(totals.rounded(0, 8 * blocks), (q @ entries).astype(np.float32))
