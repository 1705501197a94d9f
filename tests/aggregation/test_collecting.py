"""What collectors make of parts: sums, robust rules, and counters that a liar does not steer."""

import numpy as np

from baffle.aggregation import Keeping, Part, Summing, make_rule, nothing
from baffle.aggregation.collecting import over_groups


def part(value, energy=10, clients=1):
    counters = (5 * clients, 1, 0, energy * clients, 3, 2)
    return Part(np.full(3, value * clients), clients, clients, clients, counters)


def test_one_liar_moves_neither_the_median_nor_what_the_server_steers_by():
    keeping = Keeping(3, make_rule("median"))
    for one in (part(4), part(5), part(6), part(7), part(10**6, energy=2**47)):
        keeping.add(one)
    total = keeping.total()
    assert total.values.tolist() == [6, 6, 6]
    assert (total.reports, total.weight) == (5, 1)
    assert total.counters == (25, 5, 0, 50, 15, 10)  # of each the median, times five


def test_a_sum_adds_counters_as_they_are():
    summing = Summing(3)
    for one in (part(4), part(6, energy=2**47)):
        summing.add(one)
    assert summing.total().counters == (10, 2, 0, 10 + 2**47, 6, 4)
    assert summing.total().values.tolist() == [10, 10, 10]


def test_a_lying_group_moves_neither_the_median_nor_the_counters():
    sums = [part(4, clients=3), part(5, clients=4), part(10**6, energy=2**40, clients=3)]
    total = over_groups(make_rule("median"), sums, 3)
    assert (total.values == 5 * total.weight).all()
    assert total.reports == 10
    assert total.counters[3] == 10 * 10
    effective = total.weight**2 / total.weight_squares
    assert 3 <= effective <= 4  # one group of three to four clients


def test_of_too_few_comes_nothing():
    keeping = Keeping(3, make_rule("krum"))
    keeping.add(part(1))
    for found in (keeping.total(), over_groups(make_rule("median"), [part(1), nothing(3)], 3)):
        assert (found.reports, found.weight) == (0, 0)
        assert found.values.tolist() == [0, 0, 0]
