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


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 7), (3, 1), (), (1, 7)],
        [(3, 1), (1, 7), (3, 1), ()],
        [(), (), (3, 1), (1, 7)],
        [(7,), (3, 7), (1, 1), (3, 1)],
        [(2, 3, 7), (), (7,), (3, 1)],
        [(), (), (), (5,)],
        [(1, 40_000), (2, 1), (), ()],
        [(40_000, 1), (1, 2), (), ()],
    ],
)
def test_broadcast_counters_are_the_single_ones(shapes):
    rng = np.random.default_rng(0)
    counter = tuple(rng.integers(0, 2**32, shape, dtype=np.uint64) for shape in shapes)
    found = philox4x32(counter, key=2**63 + 5)
    repeated = [np.ravel(w) for w in np.broadcast_arrays(*counter)]
    assert found.shape == (*np.broadcast_shapes(*shapes), 4)
    flat = found.reshape(-1, 4)
    for i in {0, 1, len(flat) // 3, len(flat) - 1}:
        assert np.array_equal(flat[i], philox4x32(tuple(w[i] for w in repeated), key=2**63 + 5))


def test_counters_are_left_as_they_were():
    counter = tuple(np.arange(5, dtype=np.uint64) + i for i in range(4))
    kept = [c.copy() for c in counter]
    philox4x32(counter, key=3)
    assert all(np.array_equal(c, k) for c, k in zip(counter, kept, strict=True))


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
