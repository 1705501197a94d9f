"""Rows of simulated federations: what they hold, and that both sides ran."""

import json

import pytest

from baffle.bench.memory import ProcessFailed
from baffle.bench.simulate import SimulateOptions, Simulation, simulate
from baffle.errors import ConfigError

QUICK = SimulateOptions(repeats=2, threads=1, most_alone=6)


@pytest.mark.slow
def test_a_row_tells_both_sides():
    told = []
    (row,) = simulate([Simulation("mlp", 6, directions=12, batch=4)], QUICK, told.append)
    assert told == ["mlp, 6 clients"]
    assert json.loads(json.dumps(row)) == row
    assert (row["model"], row["clients"], row["directions"], row["batch"]) == ("mlp", 6, 12, 4)
    assert {name: len(seconds) for name, seconds in row["rounds"].items()} == {
        "together": 2,
        "one_by_one": 2,
    }
    assert row["ratio"] == row["seconds_one_by_one"] / row["seconds_together"]
    assert row["clients_a_second"] == 6 / row["seconds_together"]
    assert row["engine"]["one_by_one"]["clients"] == 1
    assert row["engine"]["together"]["clients"] == 6
    assert row["peak_mib"] > 10


@pytest.mark.slow
def test_too_many_clients_do_not_go_alone():
    (row,) = simulate([Simulation("lenet5", 7, directions=12, batch=2)], QUICK)
    assert row["seconds_one_by_one"] is None
    assert row["ratio"] is None
    assert row["data"] == "random images, 28×28"
    assert row["seconds_together"] > 0


@pytest.mark.parametrize("wrong", [("cnn", 5, 64, 8), ("mlp", 0, 64, 8), ("mlp", 5, 64, 0)])
def test_what_cannot_be_simulated_is_refused(wrong):
    with pytest.raises(ConfigError, match="must be"):
        Simulation(*wrong)
    with pytest.raises(ConfigError, match="repeats"):
        SimulateOptions(repeats=0)


@pytest.mark.slow
def test_a_process_that_fails_is_named():
    """Two directions leave mean_baseline with no one-sided ones."""
    with pytest.raises(ProcessFailed, match=r"mlp: .*one-sided"):
        list(simulate([Simulation("mlp", 3, directions=2)], QUICK))
