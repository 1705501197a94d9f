"""The estimate against sums of drawn directions: any kind, size, bound and library, same bits."""

import math
import tracemalloc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.directions import ModelSignature, Place, TensorSpec, make_kind
from baffle.directions.factors import Dense
from baffle.directions.kind import signs
from baffle.errors import BoundError
from baffle.updates import NUMPY, boxes, by_product, by_table
from baffle.updates.ops import NumpyOps, f32
from baffle.updates.rebuild import Sums, estimate, rebuild_integers
from tests.contract.battery import kinds, weights

KINDS = pytest.mark.parametrize(
    "kind", kinds(), ids=lambda k: f"{k.name}-{getattr(k, 'density', '')}"
)
sides = st.integers(1, 5) | st.sampled_from([127, 128, 129, 300])
shapes = st.lists(sides, max_size=2).map(tuple) | st.lists(
    st.integers(1, 5), min_size=3, max_size=5
).map(tuple)
signatures = st.lists(shapes, min_size=1, max_size=4).map(
    lambda found: ModelSignature(tuple(TensorSpec(f"t{i}", s) for i, s in enumerate(found)))
)
values = st.tuples(
    st.integers(1, 3),
    st.integers(1, 40),
    st.sampled_from([1, 2**15, 2**21, 2**30, 2**45]),
    st.integers(0, 2**32),
).map(lambda t: np.random.default_rng(t[3]).integers(-t[2], t[2], t[:2], endpoint=True))


def slow(kind, signature, sums, held, round_=3, step=2):
    """Every local step's directions drawn, summed as integers, rounded once, scaled."""
    found = {}
    for (number, tensor), exponent in zip(signature.trained, sums.scale_exponents, strict=True):
        total = sum(
            rebuild_integers(kind, Place(7, round_, step + h), number, tensor, row, held)
            for h, row in enumerate(sums.values)
        )
        scale = f32(math.ldexp(sums.factor(), kind.unit_exponent - exponent))
        found[tensor.name] = np.asarray(total).astype(np.float32) * np.float32(scale)
    return found


def assert_same_bits(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        got = np.asarray(found[name])
        assert got.shape == array.shape
        assert got.dtype == np.float32
        assert got.tobytes() == np.ascontiguousarray(array).tobytes()


def sums_of(q, signature):
    exponents = tuple(i % 5 - 2 for i in range(len(signature.trained)))
    return Sums(q, 3, -9, exponents)


def within(q, kind):
    """Keep the sums below 2^63: a Gaussian entry has up to 15 bits."""
    return q >> 6 if kind.peak > 2 else q


def libraries():
    ops = pytest.importorskip("baffle.backends.torch.ops")
    products = pytest.importorskip("baffle.backends.torch.products")
    plain, other = ops.TorchOps(), ops.TorchOps()
    other.products = products.TorchProducts(other.device)  # as on a device
    return NUMPY, plain, other


@KINDS
@settings(deadline=None, max_examples=25)
@given(signature=signatures, q=values)
def test_the_estimate_is_the_slow_sum_in_every_library(kind, signature, q):
    held, sums = weights(signature=signature), sums_of(within(q, kind), signature)
    expected = slow(kind, signature, sums, held)
    for ops in libraries():
        assert_same_bits(estimate(kind, signature, 7, 3, 2, sums, held, ops), expected)


@pytest.fixture
def small_parts(monkeypatch):
    """Bounds on memory so small that every way of cutting is taken on small tensors."""
    small = {
        boxes: {"MOST_ROWS": 5, "MOST_COLUMNS": 6, "MOST_ENTRIES": 12},
        by_product: {"HELD_FLOATS": 3000, "HELD_TOTALS": 40, "LONGEST_CHUNK": 3},
        by_table: {"WINDOW": 8, "HELD_WORDS": 40},
    }
    for module, constants in small.items():
        for name, value in constants.items():
            monkeypatch.setattr(module, name, value)
    caches = boxes.boxes_in, boxes.groups_in
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@KINDS
@pytest.mark.parametrize("largest", [3, pytest.param(2**22, marks=pytest.mark.slow), 2**50])
def test_memory_bounds_change_nothing(kind, largest, small_parts):
    found = [(), (17,), (1000,), (11, 13), (4, 3, 2, 5), (3, 2, 19), (2, 700), (700, 2)]
    signature = ModelSignature(tuple(TensorSpec(f"t{i}", s) for i, s in enumerate(found)))
    q = np.random.default_rng(4).integers(-largest, largest, (2, 19))
    held, sums = weights(signature=signature), sums_of(within(q, kind), signature)
    expected = slow(kind, signature, sums, held)
    for ops in libraries():
        assert_same_bits(estimate(kind, signature, 7, 3, 2, sums, held, ops), expected)


@pytest.mark.usefixtures("small_parts")
def test_boxes_hold_every_entry_once():
    for shape in [(), (17,), (11, 13), (4, 3, 2, 5), (3, 2, 19)]:
        tensor = TensorSpec("t", shape)
        counts = np.zeros(tensor.size)
        cut = list(boxes.boxes_of(0, tensor))
        for box in cut:
            view = box.of(counts)
            assert view.size == box.entries <= 12
            view += 1
        assert (counts == 1).all()
        assert len(cut) > 1 or tensor.size == 1


@KINDS
@pytest.mark.parametrize("q", [[[0, 0, 0]], [[0, -1, 0]], [[5, 0], [0, 0]]])
def test_directions_without_a_coefficient_leave_no_trace_and_no_negative_zero(kind, q):
    signature = ModelSignature((TensorSpec("b", (5,)), TensorSpec("w", (40, 30))))
    held = weights(signature=signature)
    sums = sums_of(np.array(q), signature)
    for ops in libraries():
        found = estimate(kind, signature, 7, 3, 2, sums, held, ops)
        assert_same_bits(found, slow(kind, signature, sums, held))
        for array in found.values():
            zeros = np.asarray(array) == 0
            assert not np.signbit(np.asarray(array)[zeros]).any()


def test_a_weight_of_zero_gives_an_estimate_of_zero():
    signature = ModelSignature((TensorSpec("w", (4, 3)),))
    sums = Sums(np.array([[3, -2]]), 0, -9, (0,))
    assert not estimate(make_kind("rank_one", 7), signature, 7, 0, 0, sums, None, NUMPY)["w"].any()


@KINDS
def test_a_sum_that_could_leave_64_bits_is_refused(kind):
    signature = ModelSignature((TensorSpec("w", (4, 3)),))
    q = np.full((3, 1), 2**62 // kind.peak)
    with pytest.raises(BoundError, match=r"2\^63"):
        estimate(kind, signature, 7, 3, 2, sums_of(q, signature), weights(), NUMPY)


@dataclass(frozen=True)
class Sparse:
    """A kind that only draws: ±2 with probability 1/4, as in CONTRIBUTING."""

    name: ClassVar[str] = "sparse"
    unit_exponent: ClassVar[int] = 0
    peak: ClassVar[int] = 2

    def draw(self, stream, directions, tensor, weights):
        bits = stream.bits(directions, 3 * tensor.size).reshape(len(directions), *tensor.shape, 3)
        return Dense(2 * signs(bits[..., 0]) * (bits[..., 1] & bits[..., 2]).astype("i1"), 2)


def test_a_kind_that_only_draws_is_summed_by_drawing():
    signature = ModelSignature((TensorSpec("b", (5,)), TensorSpec("w", (8, 9))))
    sums = sums_of(np.array([[3, 0, -2], [1, 1, 2**30]]), signature)
    expected = slow(Sparse(), signature, sums, None)
    for ops in libraries():
        assert_same_bits(estimate(Sparse(), signature, 7, 3, 2, sums, None, ops), expected)


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_shorter_products_on_torch_change_nothing(precision):
    torch = pytest.importorskip("torch")
    *_, device = libraries()
    signature = ModelSignature((TensorSpec("w", (96, 80)),))
    q = np.random.default_rng(0).integers(-500_000, 500_000, (1, 32))
    sums, kind = sums_of(q, signature), make_kind("rank_one", 7)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        found = estimate(kind, signature, 7, 3, 2, sums, None, device)
    finally:
        torch.set_float32_matmul_precision(before)
    assert_same_bits(found, slow(kind, signature, sums, None))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_nothing(threads):
    torch = pytest.importorskip("torch")
    signature = ModelSignature((TensorSpec("w", (300, 200)), TensorSpec("c", (20, 10, 3, 3))))
    q = np.random.default_rng(0).integers(-(2**30), 2**30, (1, 64))
    sums, kind = sums_of(q, signature), make_kind("rank_one", 7)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for ops in libraries():
            found = estimate(kind, signature, 7, 3, 2, sums, None, ops)
            assert_same_bits(found, slow(kind, signature, sums, None))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("kind", "shape", "directions"),
    [
        ("rank_one", (2000, 1500), 3000),
        ("rank_one", (3_000_000,), 40),
        ("rademacher", (2000, 1500), 40),
        ("gaussian", (600, 500), 10),
    ],
)
def test_temporary_memory_is_bounded(kind, shape, directions):
    signature = ModelSignature((TensorSpec("w", shape),))
    q = np.random.default_rng(0).integers(-(2**15), 2**15, (1, directions))
    sums, kind = sums_of(q, signature), make_kind(kind, 7)
    estimate(kind, ModelSignature((TensorSpec("w", (4,)),)), 7, 3, 2, sums, None, NumpyOps())
    tracemalloc.start()
    try:
        found = estimate(kind, signature, 7, 3, 2, sums, None, NUMPY)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - found["w"].nbytes < 64 * 2**20
