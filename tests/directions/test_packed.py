"""Packed draws against the streams that they are drawn from, bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.directions import Place
from baffle.directions.packed import Span, SpanTable, as_bytes, draw_packed
from baffle.errors import BoundError

spans = st.builds(Span, st.integers(0, 2**16 - 1), st.integers(0, 9), st.integers(1, 5))
directions = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5)


@given(st.lists(spans, min_size=1, max_size=5), directions, st.integers(0, 2**12 - 1))
def test_a_draw_holds_each_span_s_bits_in_order(drawn, index, step):
    place = Place(2**64 - 5, round=2**32 - 1, step=step)
    words = draw_packed(place, np.array(index, dtype=np.uint32), SpanTable(drawn))
    bits = np.unpackbits(as_bytes(words), axis=1, bitorder="little")
    expected = [
        place.stream(s.tensor).bits(index, 128 * (s.first + s.blocks))[:, 128 * s.first :]
        for s in drawn
    ]
    assert np.array_equal(bits, np.concatenate(expected, axis=1))


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_span_of_bits_holds_them_and_no_block_more(start, count):
    span = Span.of_bits(3, start, start + count)
    assert 128 * span.first <= start < 128 * (span.first + 1)
    last = span.first + span.blocks
    assert 128 * (last - 1) < start + count <= 128 * last


def test_blocks_and_tensors_without_room_in_the_counter_are_refused():
    with pytest.raises(BoundError, match="number of blocks"):
        SpanTable([Span(0, 2**32 - 1, 2)])
    table = SpanTable([Span(2**16, 0, 1)])
    with pytest.raises(BoundError, match="tensor must lie"):
        draw_packed(Place(1, 0), np.zeros(1, np.uint32), table)
