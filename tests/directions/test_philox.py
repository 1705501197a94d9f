"""Philox against the published known answers of Random123, and the counter's layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.philox import philox4x32
from baffle.errors import BoundError

# (counter, key words, result) from Random123's kat_vectors, philox 4x32 with 10 rounds.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter, key, expected):
    got = philox4x32(counter, key[0] | key[1] << 32)
    assert got.tolist() == list(expected)


def test_a_large_call_is_the_small_calls_joined():
    blocks = np.arange(20_000)
    whole = philox4x32((blocks, 3, 4, 5), key=9)
    assert np.array_equal(whole[12_345], philox4x32((12_345, 3, 4, 5), key=9))


@given(st.integers(1, 700), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4))
def test_bits_are_a_prefix_whatever_the_count(count, index):
    stream = Stream(5, Purpose.DIRECTION, round=2, step=1, tensor=3)
    assert np.array_equal(stream.bits(index, count), stream.bits(index, 701)[:, :count])


coordinates = st.tuples(
    st.sampled_from(list(Purpose)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**12 - 1),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
)


@given(coordinates, coordinates)
def test_coordinates_never_collide(one, other):
    """Seeds by arithmetic repeat directions; two places here share no counter."""

    def counter(place):
        purpose, round_, step, tensor, index = place
        return (index, round_, (int(purpose) << 28) | (step << 16) | tensor)

    assert (counter(one) == counter(other)) == (one == other)


@pytest.mark.parametrize(
    "place",
    [{"round": 2**32}, {"step": 2**12}, {"tensor": 2**16}, {"key": 2**64}, {"round": -1}],
)
def test_a_coordinate_without_room_is_refused(place):
    with pytest.raises(BoundError, match="place in the counter"):
        Stream(**{"key": 0, "purpose": Purpose.COHORT, **place})
