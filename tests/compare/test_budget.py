"""A budget becomes rounds by what a few rounds cost, and figures are read at or below it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.algorithms.tuning import end_loss, for_length
from baffle.drivers.compare.budget import at_budget, rounds_for
from baffle.drivers.compare.resources import costs_of, parse_budget
from baffle.drivers.compare.tuning import best_of, next_trial
from baffle.errors import ConfigError
from tests.compare.lines import costs


@settings(max_examples=40)
@given(st.integers(1, 50), st.integers(0, 500), st.integers(1, 10_000))
def test_equal_rounds_use_the_budget_and_never_more(each, first, budget):
    def total(rounds):
        return first + each * rounds

    rounds = rounds_for([{"evaluations": total(r)} for r in range(1, 9)], "evaluations", budget)
    assert total(rounds) <= budget or rounds == 0
    assert total(rounds + 1) > budget


def test_where_rounds_differ_some_is_spared():
    totals = [{"seconds": t} for t in (5.0, 6.0, 7.0, 8.0, 9.0, 10.2, 11.0, 12.0)]
    assert rounds_for(totals, "seconds", 100.0) == 8 + int(83 + 1e-9)  # (95 - 12) / 1


def test_where_later_rounds_cost_nothing_the_whole_pilot_tells():
    totals = [{"evaluations": t} for t in (50.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0)]
    assert rounds_for(totals, "evaluations", 1100.0) == 8 + int((0.99 * 1100 - 100) / 12.5)
    nothing = [{"evaluations": 0.0}] * 8
    with pytest.raises(ConfigError, match="no client answered in 8 rounds"):
        rounds_for(nothing, "evaluations", 1e6)


def test_the_last_evaluation_at_or_below_the_budget_counts():
    curve = [costs(10), costs(20), costs(30)]
    assert at_budget(curve, "evaluations", 200.0)["rounds"] == 20
    assert at_budget(curve, "evaluations", 299.0)["rounds"] == 20
    assert at_budget(curve, "evaluations", 99.0) is None


def test_a_gradient_counts_as_three_evaluations_and_bytes_are_a_clients_share():
    row = {
        "round": 3, "example_evaluations": 96, "gradient_examples": 96, "bytes_up": 50,
        "bytes_down": 150, "seconds": 1.0,
    }  # fmt: skip
    found = costs_of(row, clients=10)
    assert found["evaluations"] == 3 * 96
    assert (found["bytes_up"], found["bytes_down"], found["bytes"]) == (5, 15, 20)
    assert costs_of({**row, "gradient_examples": None}, 10)["evaluations"] == 96


@pytest.mark.parametrize(
    ("text", "equal", "value"),
    [
        ("4M", "evaluations", 4e6), ("2.5e6", "evaluations", 2.5e6), ("50", "rounds", 50),
        ("200kB", "bytes", 2e5), ("1 MiB", "bytes", 2**20), ("5min", "seconds", 300),
        ("0.5h", "seconds", 1800), ("300MB", "memory", 3e8), ("512", "memory", 512),
    ],
)  # fmt: skip
def test_budgets_are_read_as_people_write_them(text, equal, value):
    assert parse_budget(text, equal) == value


@pytest.mark.parametrize(
    ("text", "equal"),
    [("", "rounds"), ("many", "bytes"), ("0", "bytes"), ("-4", "rounds"), ("5min", "bytes"),
     ("4MB", "evaluations"), ("nan", "seconds"), ("1e999", "rounds")],
)  # fmt: skip
def test_what_is_no_budget_is_refused_with_an_example(text, equal):
    with pytest.raises(ConfigError, match="such as"):
        parse_budget(text, equal)


@pytest.mark.parametrize("best", [3e-4, 0.04, 1.7, 30.0])
def test_the_search_finds_a_scale_far_from_its_start(best):
    losses = {}
    while (step := next_trial(losses, 0.04, 7)) is not None:
        losses[step] = abs(step / best - 1) if step < 50 * best else float("inf")
    assert len(losses) == 7
    assert best / 4 < best_of(losses) < best * 4


def test_the_search_refines_between_neighbours_that_are_worse():
    losses = {0.04: 1.0, 0.32: 2.0, 0.005: 2.0}
    assert next_trial(losses, 0.04, 5) == 0.113
    assert next_trial({**losses, 0.113: 1.5}, 0.04, 5) == 0.0141
    assert next_trial({**losses, 0.113: 1.5}, 0.04, 4) is None
    moved = {**losses, 0.113: 0.5}  # 0.904 and 0.0141 lie beyond what was worse
    assert next_trial(moved, 0.04, 9) == 0.19


def test_a_longer_run_takes_a_smaller_step_and_an_equal_one_the_same():
    assert for_length(0.08, 10, 80) == 0.04
    assert for_length(0.08, 10, 10) == 0.08


def test_a_trial_is_judged_by_the_mean_of_its_last_quarter():
    assert end_loss([9.0, float("nan"), 9.0, 9.0, 9.0, 9.0, 1.0, 2.0]) == 1.5
    assert end_loss([1.0, 1.0, 1.0, float("nan")]) == float("inf")
    assert end_loss([3.0]) == 3.0
