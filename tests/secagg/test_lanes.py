"""A lane holds every sum that it is made for, and nothing is masked that is out of its bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.errors import BoundError, DecodeError
from baffle.secagg import Block, Lanes

BLOCKS = st.lists(
    st.builds(Block, st.integers(1, 40), st.integers(1, 2**40)), min_size=1, max_size=4
)


@given(BLOCKS, st.integers(2, 1000), st.integers(0, 2**32))
def test_sums_at_their_bounds_come_back(blocks, members, seed):
    lanes = Lanes(tuple(blocks))
    rng = np.random.default_rng(seed)
    most = np.concatenate([np.full(b.count, members * b.bound) for b in blocks])
    values = most * rng.choice([-1, 0, 1], lanes.count)
    noise = rng.integers(0, 2**64, lanes.count, dtype=np.uint64)
    packed = lanes.pack(values.view(np.uint64) + noise, members)
    assert len(packed) == lanes.size(members)
    words = lanes.unpack(packed, members) - noise
    assert np.array_equal(lanes.signed(words, members), values)


@given(BLOCKS, st.integers(2, 1000))
def test_no_narrower_lane_would_do(blocks, members):
    for block in blocks:
        bits = block.bits(members)
        assert 2 ** (bits - 1) < 2 * members * block.bound + 1 <= 2**bits


def test_too_wide():
    assert Block(1, 2**61 - 1).bits(2) == 63
    with pytest.raises(BoundError, match=r"3 clients .* take 64 bits of 63"):
        Block(1, 2**61).bits(3)


@pytest.mark.parametrize("block", [(0, 1), (1, 0), (-1, 5)])
def test_blocks_that_are_none(block):
    with pytest.raises(BoundError, match="at least 1"):
        Block(*block)


def test_no_lanes():
    with pytest.raises(BoundError, match="got 0"):
        Lanes(())


def test_a_value_out_of_bound_is_named():
    lanes = Lanes((Block(2, 7), Block(1, 100)))
    lanes.check(np.array([7, -7, 100]))
    with pytest.raises(BoundError, match=r"lanes 0 to 1: expected integers within ±7, got -8 to 7"):
        lanes.check(np.array([7, -8, 100]))
    with pytest.raises(BoundError, match="lanes 2 to 2"):
        lanes.check(np.array([7, 7, 101]))
    lanes.check(np.array([14, 14, 200]), parts=2)
    with pytest.raises(BoundError, match=r"int64 \[3\]"):
        lanes.check(np.array([1, 2]))
    with pytest.raises(BoundError, match="int32"):
        lanes.check(np.array([1, 2, 3], dtype=np.int32))
    with pytest.raises(BoundError, match="got -9223372036854775808"):
        lanes.check(np.array([0, 0, -(2**63)]))


def test_other_lengths_and_padding_bits():
    lanes = Lanes((Block(3, 1),))
    packed = lanes.pack(np.zeros(3, dtype=np.uint64), 2)
    with pytest.raises(DecodeError, match="expected 2 bytes, got 3"):
        lanes.unpack(packed + b"\0", 2)
    with pytest.raises(DecodeError, match="padding"):
        lanes.unpack(packed[:-1] + b"\x80", 2)


def test_each_form_has_its_own_description():
    forms = [
        Lanes((Block(2, 7),)), Lanes((Block(1, 7), Block(1, 7))), Lanes((Block(2, 8),)),
        Lanes((Block(3, 7),)),
    ]  # fmt: skip
    assert len({lanes.describe() for lanes in forms}) == len(forms)
