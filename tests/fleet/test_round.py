"""When a round is over, and why too few reported; how long and for how many a server waits."""

import pytest

from baffle.fleet import Pace
from baffle.fleet.round import OpenRound, mean_evaluation
from baffle.protocol.exchange import Evaluation


def open_round(wanted=2, asked=3):
    return OpenRound(7, 100.0, 110.0, wanted, {n: 50 + n for n in range(asked)})


def test_a_round_is_over_with_enough_reports_or_nobody_left_or_no_time():
    round_ = open_round()
    assert round_.over(109.9) is None
    assert round_.over(110.0) == "deadline"
    round_.reported.add(0)
    round_.lost.update({1: "went away", 2: "failed"})
    assert round_.over(101.0) == "all"
    round_.reported.add(1)
    assert round_.over(101.0) == "enough"


def test_an_abandoned_round_says_why():
    round_ = open_round()
    round_.reported.add(0)
    round_.lost[1] = "said data"
    text = round_.why(2, "deadline")
    for part in ("round 7", "deadline", "at least 2", "3 asked", "got 1", "1 said data"):
        assert part in text
    assert "1 did not answer in time" in text


def test_evaluations_are_weighted_by_examples():
    found = mean_evaluation([Evaluation(1, 1, 2**16), Evaluation(3, 0, 5 * 2**16)])
    assert found == {"client_examples": 4, "client_loss": 4.0, "client_accuracy": 0.25}
    assert "client_accuracy" not in mean_evaluation([Evaluation(2, None, 0)])
    assert mean_evaluation([]) == {}


@pytest.mark.parametrize(
    ("share", "wanted", "present", "asked"),
    [(0.0, 10, 100, 10), (0.3, 10, 100, 13), (0.3, 10, 11, 11), (0.1, 10, 100, 11), (1.0, 3, 9, 6)],
)
def test_over_selection_asks_more_than_it_wants(share, wanted, present, asked):
    assert Pace(over_selection=share).asked(wanted, present) == asked


def test_evaluations_are_every_so_often_or_never():
    assert [r for r in range(7) if Pace(evaluate_every=3).evaluates(r)] == [0, 3, 6]
    assert not any(Pace().evaluates(r) for r in range(7))
