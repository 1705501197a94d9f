"""Integer sums: exact in any order, up to the bound that is proved before a run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.aggregation import Part, Summing, require_exact
from baffle.directions import make_kind
from baffle.errors import BoundError
from baffle.quantisation import Quantiser

REPORTS = st.lists(
    st.tuples(st.lists(st.integers(-(2**23), 2**23), min_size=3, max_size=3), st.integers(1, 2**20))
)


def part(values, weight):
    return Part(weight * np.array(values, dtype=np.int64), 1, weight, weight**2, (1, 2, 3, 4, 5, 6))


def summed(reports):
    collector = Summing(3)
    for values, weight in reports:
        collector.add(part(values, weight))
    return collector.total()


@given(REPORTS, st.randoms())
def test_the_sum_is_pythons_in_any_order(reports, chance):
    total = summed(reports)
    assert total.values.tolist() == [sum(w * v[i] for v, w in reports) for i in range(3)]
    assert total.reports == len(reports)
    assert total.weight == sum(w for _, w in reports)
    assert total.weight_squares == sum(w * w for _, w in reports)
    assert total.counters == tuple(n * len(reports) for n in range(1, 7))
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
    collector = Summing(2)
    for _ in range(clients):
        collector.add(part([limit, -limit], weight))
    assert collector.total().values.tolist() == [
        clients * weight * limit,
        -clients * weight * limit,
    ]
