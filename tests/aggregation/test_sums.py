"""Integer sums: exact in any order, up to the bound that is proved before a run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.aggregation import WeightedSum, require_exact
from baffle.directions import make_kind
from baffle.errors import BoundError
from baffle.quantisation import Quantiser

REPORTS = st.lists(
    st.tuples(st.lists(st.integers(-(2**23), 2**23), min_size=3, max_size=3), st.integers(1, 2**20))
)


def summed(reports):
    total = WeightedSum(3)
    for values, weight in reports:
        total.add(np.array(values, dtype=np.int64), weight)
    return total


@given(REPORTS, st.randoms())
def test_the_sum_is_pythons_in_any_order(reports, chance):
    total = summed(reports)
    assert total.values.tolist() == [sum(w * v[i] for v, w in reports) for i in range(3)]
    assert total.reports == len(reports)
    assert total.weight == sum(w for _, w in reports)
    assert total.weight_squares == sum(w * w for _, w in reports)
    chance.shuffle(reports)
    assert np.array_equal(summed(reports).values, total.values)


@pytest.mark.parametrize("name", ["rank_one", "rademacher", "gaussian", "masked"])
def test_the_bound_is_the_product_and_its_refusal_spells_it_out(name):
    kind = make_kind(name, key=0)
    weight, bits, directions, steps = 2**20, 24, 2**7, 2
    limit = Quantiser(bits, 0).limit
    assert limit == 2**23 - 1
    unit = limit * weight * directions * steps * kind.peak
    fits = (2**63 - 1) // unit
    assert require_exact(kind, bits, fits, weight, directions, steps) == fits * unit < 2**63
    clients = fits + 1
    with pytest.raises(BoundError) as refused:
        require_exact(kind, bits, clients, weight, directions, steps)
    said = str(refused.value)
    assert said.startswith(
        f"{clients} clients × weight {weight} × {limit} (of 24 bits) × {directions} directions × "
        f"{steps} local steps × {kind.peak} (largest entry of {name}) = {clients * unit}, "
        f"not below 2^63 = {2**63}"
    )
    assert "use fewer bits" in said


def test_the_largest_reports_that_the_bound_admits_do_not_overflow():
    kind = make_kind("rank_one", key=0)
    weight, limit = 2**32 - 1, 2**23 - 1
    clients = (2**63 - 1) // (weight * limit)
    assert require_exact(kind, 24, clients, weight, 1, 1) < 2**63
    total = WeightedSum(2)
    for _ in range(clients):
        total.add(np.array([limit, -limit]), weight)
    assert total.values.tolist() == [clients * weight * limit, -clients * weight * limit]
