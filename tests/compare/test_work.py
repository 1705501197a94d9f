"""What cells come to: real runs, and a client's memory whatever protects the others."""

import json

import pytest

from baffle.config import resolve
from baffle.drivers.compare.client_memory import alone, peak_of_client
from baffle.drivers.compare.spec import ENGINE
from baffle.drivers.compare.work import work
from baffle.drivers.compare.worker import answer
from baffle.report.runs import read_settings

SMALL = {
    "data": {"name": "digits"},
    "model": {"name": "linear"},
    "rounds": 8,
    "probe": {"num_directions": 16, "batch": 8, "candidates": 0, "pairs": 4},
    "update": {"step_size": 0.01},
    "engine": {"chunk": 16, "clients": 1},
    "output": {"evaluate_every": 4},
}
PROTECTED = {
    "few reports": {"federation": {"clients": 6, "min_reports": 3}},
    "secure sums": {"federation": {"clients": 12}, "secure": {"sums": True, "min_group": 4}},
    "median": {"federation": {"clients": 6}, "robust": {"rule": "median"}},
    "groups": {"federation": {"clients": 6}, "groups": {"number": 2}},
    "privacy": {
        "federation": {"clients": 12},
        "secure": {"sums": True, "min_group": 4},
        "privacy": {"unit": "example"},
        "probe": {"candidates": "auto"},
    },
}


def made(*more):
    return resolve(SMALL, ENGINE, *more)


def test_a_run_is_the_one_that_baffle_run_makes(tmp_path):
    from baffle.drivers.local.metrics import read_metrics
    from tests.drivers.small import start, task_of

    line = work("run", made())
    session = start(made(), task_of(made()), tmp_path / "run")
    session.run()
    session.close()
    rows = [row for row in read_metrics(tmp_path / "run") if "test_accuracy" in row]
    assert [p["rounds"] for p in line["curve"]] == [4, 8]
    for point, row in zip(line["curve"], rows, strict=True):
        assert {n: point[n] for n in ("loss", "test_accuracy", "test_loss")} == {
            n: row[n] for n in ("loss", "test_accuracy", "test_loss")
        }
        assert point["evaluations"] == row["example_evaluations"]
    assert read_settings(tmp_path / "run").update.step_size == line["step_size"]


@pytest.mark.slow
def test_pilots_and_trials_tell_costs_engine_and_loss():
    pilot, trial = work("pilot", made()), work("trial", made())
    assert [c["rounds"] for c in pilot["costs"]] == list(range(1, 9))
    assert pilot["engine"]["chunk"] == 16
    assert 0 < trial["loss"] < 3
    assert trial["costs"]["evaluations"] == pilot["costs"][-1]["evaluations"]


@pytest.mark.slow
def test_an_error_is_said_and_a_loss_that_is_no_number_is_null():
    heard = []
    asked = made({"data": {"root": "/nowhere", "name": "mnist"}}).model_dump(mode="json")
    answer({"kind": "pilot", "settings": asked}, heard.append)
    wild = resolve(
        {**SMALL, "algorithm": "fedavg", "probe": {"batch": 8}, "engine": {"threads": 1}},
        {"update": {"step_size": 1e38}},
    ).model_dump(mode="json")
    assert "error" in heard[-1]
    answer({"kind": "trial", "settings": wild}, heard.append)
    assert heard[-1]["line"]["loss"] is None
    json.dumps(heard, allow_nan=False)


@pytest.mark.parametrize("name", PROTECTED)
def test_a_client_alone_has_no_protections_and_computes_the_same(name):
    settings = made(PROTECTED[name])
    one = alone(settings)
    assert (one.federation.clients, one.federation.min_reports) == (1, 1)
    assert not one.secure.sums
    assert one.robust.rule == "sum" if name == "median" else one.groups.number == 1
    assert one.privacy.unit == "none"
    assert one.probe == settings.probe.model_copy(update={"candidates": 0})
    assert resolve(one.model_dump(mode="json")) == one


@pytest.mark.slow
@pytest.mark.parametrize("name", ["few reports", "secure sums", "median", "groups"])
def test_its_memory_is_measured(name):
    found = peak_of_client(made(PROTECTED[name]))
    assert found["peak"] >= found["idle"] > 50e6
