"""A direction as one row of numbers: what a graph's factors multiply out to."""

from __future__ import annotations

import numpy as np
import pytest

from baffle.directions import ModelSignature, Place, Points, TensorSpec, make_kind
from baffle.directions.columns import Columns
from baffle.errors import ProbeError

SIGNATURE = ModelSignature(
    (
        TensorSpec("conv", (3, 2, 2, 2)),
        TensorSpec("bias", (3,)),
        TensorSpec("frozen", (4, 4), trainable=False),
        TensorSpec("line", (2, 3, 5)),
        TensorSpec("matrix", (4, 3)),
        TensorSpec("scalar", ()),
    )
)


def points(kind: str = "rank_one", count: int = 5) -> Points:
    signs = np.array([1, -1, 0, 1, -1], dtype=np.int8)[:count]
    exponents = tuple(range(-3, -3 + len(SIGNATURE.trained)))
    directions = np.arange(7, 7 + count, dtype=np.uint32)
    return Points(Place(3, 9, 1), make_kind(kind, 3), exponents, directions, signs)


def test_rows_multiply_out_to_the_perturbations_of_the_slow_truth():
    columns, asked = Columns(SIGNATURE), points()
    rows = columns.scaled(asked, columns.draw(asked))
    factors, scales = asked.factors(SIGNATURE), asked.scales(SIGNATURE)
    for place in columns.places:
        name, shape = place.tensor.name, place.tensor.shape
        dense = factors[name].dense() * scales[name].reshape(-1, *[1] * len(shape))
        own = rows[:, place.start : place.stop]
        if len(place.lengths) == 1:
            found = own.reshape(-1, *shape)
        else:
            out, inner, kernel = np.split(own, np.cumsum(place.lengths)[:-1], axis=1)
            kernel = kernel if place.lengths[2] else np.ones((len(own), 1), np.float32)
            found = np.einsum("po,pi,pl->poil", out, inner, kernel).reshape(-1, *shape)
        np.testing.assert_array_equal(found, dense)


def test_every_column_belongs_to_one_tensor():
    places = Columns(SIGNATURE).places
    assert [p.start for p in places] == [0, *(p.stop for p in places[:-1])]
    assert Columns(SIGNATURE).width == 3 + (3 + 2 + 4) + (2 + 3 + 5) + (4 + 3) + 1
    assert [p.tensor.name for p in places] == ["bias", "conv", "line", "matrix", "scalar"]


@pytest.mark.parametrize("kind", ["rademacher", "gaussian", "masked"])
def test_kinds_without_factors_are_refused_by_name(kind):
    with pytest.raises(ProbeError, match=f"expected rank_one directions, got {kind}"):
        Columns(SIGNATURE).draw(points(kind))
