"""Interleaving, spread, and the search on known costs."""

from collections import Counter

import pytest
import torch

from baffle.bench import search as search_file
from baffle.bench.search import Search
from baffle.bench.sides import Setting, Work
from baffle.bench.sides.work import Side
from baffle.bench.timing import Timed, awake, interleaved, seconds_of, spread


def test_each_repeat_times_every_side_once_in_changing_order():
    log = []
    sides = {
        name: Timed.of(Work(10, lambda name=name: log.append(name)), 1, 1.0, 0.1) for name in "abc"
    }
    rates = interleaved(sides, "cpu", repeats=8)
    orders = [tuple(log[i : i + 3]) for i in range(0, len(log), 3)]
    assert [sorted(order) for order in orders] == [["a", "b", "c"]] * 8
    assert len(set(orders)) > 1
    assert {name: len(values) for name, values in rates.items()} == Counter(log)
    assert all(rate > 0 for values in rates.values() for rate in values)


def test_enough_ends_the_repeats():
    sides = {"a": Timed.of(Work(1, lambda: None), 1, 1.0, 0.1)}
    rates = interleaved(sides, "cpu", repeats=9, enough=lambda done: done >= 4)
    assert len(rates["a"]) == 4


def test_quick_work_is_called_until_a_sample_is_long_enough():
    assert Timed.of(Work(1, lambda: None), 1, 0.01, 0.2).calls == 20
    assert Timed.of(Work(1, lambda: None), 1, 3.0, 0.2).calls == 1


def test_seconds_are_a_mean_over_calls():
    calls = []
    took = seconds_of(Work(1, lambda: calls.append(1)), 5, "cpu")
    assert len(calls) == 5
    assert 0 < took < 1


def test_threads_are_as_asked_inside_and_come_back():
    before = torch.get_num_threads()
    with awake(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_spread_is_the_distance_of_the_quartiles():
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 3)
    assert spread([7.0]) == 0.0


class Known(Side):
    """A side whose rows a second are a function of its setting."""

    unit = 1

    def __init__(self, rates):
        self.rates, self.tried = rates, []

    def chunks(self):
        return tuple(sorted({chunk for chunk, _ in self.rates}))

    def work(self, setting, most):
        self.tried.append(setting)
        work = Work(100, lambda: None)
        object.__setattr__(work, "rate", self.rates[setting.chunk, setting.threads])
        return work


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(search_file, "seconds_of", lambda work, calls, device: 100 / work.rate)

    def best(rates, threads):
        side = Known(rates)
        return side, Search(side, 100, "cpu", seconds=0.0).best(threads)

    return best


def test_search_finds_the_best_chunk_and_threads_and_a_close_second(known):
    rates = {(1, 1): 50.0, (2, 1): 900.0, (4, 1): 700.0, (1, 2): 60.0, (2, 2): 800.0, (4, 2): 890.0}
    _, found = known(rates, {1, 2})
    assert [f.setting for f in found] == [Setting(2, 1), Setting(4, 2)]
    assert found[0].rate == 900.0


def test_search_drops_what_is_far_behind(known):
    _, found = known({(1, 1): 100.0, (2, 1): 900.0}, {1})
    assert [f.setting for f in found] == [Setting(2, 1)]


def test_search_leaves_other_threads_at_once_where_they_are_hopeless(known):
    rates = {(2**i, 1): 300.0 for i in range(4)} | {(2**i, 2): 1000.0 for i in range(4)}
    side, found = known(rates, {1, 2})
    assert {f.setting.threads for f in found} == {2}
    assert len({s for s in side.tried if s.threads == 1}) == 1


def test_search_stops_when_chunks_get_worse(known):
    rates = {(2**i, 1): 1000.0 / (i + 1) for i in range(8)}
    side, found = known(rates, {1})
    assert found[0].setting == Setting(1, 1)
    assert len({s.chunk for s in side.tried}) == 4
