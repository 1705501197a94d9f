"""Deltas from packed bits against drawn directions times the radius, exactly, in every type."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.backends.torch.drawing import Drawing
from baffle.backends.torch.moved import Low
from baffle.directions import ModelSignature, Place, Points, TensorSpec, make_kind
from tests.contract.battery import weights

sides = st.integers(1, 4) | st.sampled_from([127, 128, 130])
shapes = st.lists(sides, max_size=2).map(tuple) | st.lists(
    st.integers(1, 4), min_size=3, max_size=5
).map(tuple)
dtypes = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])
tensors = st.lists(st.tuples(shapes, dtypes), min_size=1, max_size=5)
signs = st.lists(st.sampled_from([1, -1, 0]), min_size=1, max_size=6)


def module_of(drawn):
    specs = tuple(TensorSpec(f"t{i}", shape) for i, (shape, _) in enumerate(drawn))
    parameters = {f"t{i}": torch.ones(shape, dtype=dtype) for i, (shape, dtype) in enumerate(drawn)}
    return ModelSignature(specs), parameters


def points_of(kind, signature, signs_, exponents, seed=0):
    rng = np.random.default_rng(seed)
    index = rng.integers(0, 2**32, len(signs_), dtype=np.uint32)
    place = Place(int(rng.integers(2**62)), round=5, step=seed % 7)
    chosen = tuple(exponents[i % len(exponents)] for i in range(len(signature.trained)))
    return Points(place, make_kind(kind, place.key), chosen, index, np.array(signs_, dtype=np.int8))


def multiplied_out(delta):
    """Every entry of a delta, in float64."""
    if isinstance(delta, torch.Tensor):
        return delta.double()
    assert all(f.stride(-1) == 1 for f in (delta.out, delta.inner))
    out, inner, kernel = (f.double() for f in (delta.out, delta.inner, delta.kernel))
    return torch.einsum("po,pi,pk->poik", out, inner, kernel)


def multiplied(delta):
    """The part that the radius is multiplied into."""
    return delta.out if isinstance(delta, Low) else delta


def assert_equal_the_drawn(found, points, signature, held):
    for number, tensor in signature.trained:
        z = points.kind.draw(points.place.stream(number), points.directions, tensor, held).dense()
        sigma = points.scales(signature)[tensor.name].astype(np.float64)
        expected = z * sigma.reshape(-1, *[1] * len(tensor.shape))
        delta = multiplied_out(found[tensor.name]).reshape(expected.shape)
        assert np.array_equal(delta.numpy(), expected)


@pytest.mark.parametrize("kind", ["rank_one", "rademacher", "gaussian", "masked"])
@settings(deadline=None, max_examples=50)
@given(
    drawn=tensors,
    signs=signs,
    exponents=st.lists(st.integers(-12, 3), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_deltas_are_the_drawn_directions(kind, drawn, signs, exponents, seed):
    signature, parameters = module_of(drawn)
    points = points_of(kind, signature, signs, exponents, seed)
    held = weights(signature=signature)
    found = Drawing(signature).deltas(points, parameters, held)
    assert set(found) == set(parameters)
    assert_equal_the_drawn(found, points, signature, held)
    for name, parameter in parameters.items():
        delta, low = found[name], kind == "rank_one" and parameter.dim() >= 2
        assert isinstance(delta, Low) == low
        if low:
            assert {f.dtype for f in (delta.out, delta.inner, delta.kernel)} == {parameter.dtype}
            assert delta.out.shape == (len(points), parameter.shape[0])
            assert delta.kernel.shape[1] == parameter[0, 0].numel()
        else:
            halves = parameter.dtype in (torch.bfloat16, torch.float16)
            assert delta.dtype == (torch.float32 if halves else parameter.dtype)
            assert delta.shape == (len(points), *parameter.shape)


def test_the_smallest_and_largest_radii_are_exact():
    signature, parameters = module_of([((3, 4), torch.bfloat16), ((5,), torch.float32)])
    for exponent in (-120, 100):
        points = points_of("rank_one", signature, [1, -1], [exponent])
        found = Drawing(signature).deltas(points, parameters, {})
        assert_equal_the_drawn(found, points, signature, None)


def test_the_same_points_are_drawn_once():
    signature, parameters = module_of([((3, 4), torch.float32)])
    drawing, points = Drawing(signature), points_of("rank_one", signature, [1, -1], [-3])
    first = drawing.deltas(points, parameters, {})
    assert drawing.deltas(points, parameters, {}) is first
    other = points_of("rank_one", signature, [1, 1], [-3])
    assert_equal_the_drawn(drawing.deltas(other, parameters, {}), other, signature, None)


def test_another_kind_radius_and_type_are_laid_out_anew():
    signature, parameters = module_of([((3, 4), torch.float32), ((2, 3, 3), torch.float32)])
    drawing = Drawing(signature)
    wider = {name: p.double() for name, p in parameters.items()}
    for kind in ("rank_one", "rademacher", "rank_one"):
        for exponents in ([-3], [-3, -5]):
            for held in (parameters, wider):
                points = points_of(kind, signature, [1, -1, 0], exponents, seed=len(exponents))
                found = drawing.deltas(points, held, {})
                assert_equal_the_drawn(found, points, signature, None)
                assert {multiplied(d).dtype for d in found.values()} == {held["t0"].dtype}
