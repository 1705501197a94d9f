"""The rule of `baffle advise`: figures in, advice out."""

import doctest
import importlib
import math

import pytest

from baffle.bench.advise.costs import MIB, Measured, cost_of, measured_of
from baffle.bench.advise.device import Device, amount
from baffle.bench.advise.learning import (
    Federation,
    Schedule,
    expected_cosine,
    probing_schedule,
    squared_error,
    training_schedule,
    uncertainty,
)
from baffle.bench.advise.rule import advise
from baffle.errors import ConfigError
from baffle.report.advised import as_json, rows, sentence

FEDERATION = Federation(10, 1.0, 320)
D = 10_000
PEAKS = {"fedavg": 200, "fedavg-checkpointed": 120, "baffle": 60, "baffle-low-memory": 40}
UNITS = {"fedavg": 1.0, "fedavg-checkpointed": 1.5, "baffle": 0.3, "baffle-low-memory": 0.6}


def measured(way, trained="all", d=D, possible=True):
    runtime, own = 200 * MIB, PEAKS[way] * MIB
    return Measured(way, trained, d, 0.1, UNITS[way], own, runtime, possible)


def plan(m):
    return Schedule(1000, 64, 2) if m.probes else Schedule(20, 10, 32)


def asked(ways=tuple(PEAKS), **device):
    return advise([measured(way) for way in ways], plan, FEDERATION, Device(**device))


@pytest.mark.parametrize(
    ("mib", "expected"),
    [
        (500, "FedAvg"),
        (399, "FedAvg, checkpointed"),
        (319, "BAFFLE"),
        (259, "BAFFLE, low memory"),
        (239, None),
    ],
)
def test_memory_decides_step_by_step(mib, expected):
    found = asked(memory=mib * MIB)
    assert (found.best.name if found.best else None) == expected


def test_a_device_without_gradients_probes_however_much_memory_it_has():
    found = asked(inference_only=True)
    assert found.best.name == "BAFFLE"
    assert {v.why_not for v in found.verdicts[:2]} == {"the device computes no gradients"}
    assert "on a device that computes gradients: FedAvg" in found.changes


def test_a_slow_link_is_a_reason_of_its_own():
    # 20 rounds of 40 kB each way against 1,000 of about 300 B: the link must be all that counts.
    quick = list(map(measured, PEAKS))
    slow = advise(quick, plan, FEDERATION, Device(speed=1e9, up=1.0, down=1.0))
    assert slow.best.name.startswith("BAFFLE")
    assert advise(quick, plan, FEDERATION, Device(speed=1e9)).best.name != "BAFFLE"


def test_of_ways_that_take_the_same_time_the_smaller_one_is_taken():
    alike = [measured("fedavg"), Measured("baffle", "all", D, 0.1, 1e-9, MIB, MIB)]
    found = advise(alike, lambda m: Schedule(10, 1, 1), FEDERATION, Device(up=1e12, down=1e12))
    assert found.best.name == "BAFFLE"


def test_a_module_without_parts_cannot_be_checkpointed():
    found = advise([measured("fedavg-checkpointed", possible=False)], plan, FEDERATION, Device())
    assert found.best is None
    assert rows(found)[0][-1] == "the model has no parts to compute twice"
    assert "Nothing" in sentence(found)


def test_what_would_change_the_advice_does_change_it():
    found = asked(memory=350 * MIB)
    (more,) = [c for c in found.changes if c.startswith("with at least")]
    assert more == "with at least 400 MiB of memory: FedAvg"
    assert asked(memory=400 * MIB).best.name == "FedAvg"
    less = next(c for c in found.changes if c.startswith("with less than 320"))
    assert less.endswith("BAFFLE")


def test_a_close_call_of_memory_is_told():
    assert "close call for FedAvg" in asked(memory=410 * MIB).sure
    assert "close call" not in asked().sure


def test_the_other_kind_within_the_factor_of_uncertainty_is_no_sure_thing():
    near = [measured("fedavg"), Measured("baffle", "all", D, 0.0, 0.002, MIB, MIB)]
    found = advise(near, plan, FEDERATION, Device())
    assert found.sure.startswith("Not sure")


def test_json_has_every_option_and_names_the_best():
    value = as_json(asked(memory=319 * MIB), "mine")
    assert (value["model"], value["way"]) == ("mine", "baffle")
    assert [o["fits"] for o in value["options"]] == [False, False, True, True]


def test_a_cost_is_counted_as_it_is_defined():
    device = Device(speed=0.5, up=100.0, down=1000.0)
    cost = cost_of(measured("fedavg"), Schedule(30, 4, 8), Federation(10, 0.5, 10), device)
    assert cost.seconds == (0.1 + 4 * 1.0) / 0.5
    assert cost.up == cost.down == 4 * D
    assert cost.hours == pytest.approx(30 * 0.5 * (8.2 + 400 + 40) / 3600)
    assert cost.memory == 400 * MIB
    probing = cost_of(measured("baffle"), Schedule(1, 64, 1), FEDERATION, Device(runtime=1.0))
    assert probing.up == 2 * 64 + 56
    assert probing.seconds == pytest.approx(0.1 + 0.3 * (64 + 8))
    assert probing.memory == 60 * MIB + 1


def test_a_client_that_is_seldom_asked_catches_up():
    often, seldom = (
        cost_of(measured("baffle"), Schedule(9, 64, 1), Federation(1000, p, 9), Device()).down
        for p in (0.1, 0.01)
    )
    assert seldom > 8 * often
    rare = cost_of(measured("baffle"), Schedule(9, 64, 1), Federation(10**6, 1e-6, 9), Device())
    assert rare.down < 17 * D  # the whole state is less by then


def test_the_line_through_two_measurements():
    base = {"way": "baffle", "trained": "all", "dimension": 9, "parts": None}
    base |= {"peak_mib": 300.0, "runtime_mib": 250.0}
    one = measured_of(base | {"points": [[10, 2.0, 0.5]]})
    assert (one.fixed, one.unit) == (0.5, 0.15)
    noisy = measured_of(base | {"points": [[10, 2.0, 0.5], [20, 1.5, 0.5]]})  # less for more
    assert (noisy.fixed, noisy.unit) == (0.5, 0.05)


@pytest.mark.parametrize("d", [100, 26_730, 10**7])
def test_the_batch_follows_theory(d):
    federation = Federation(10, 1.0, 6000)
    s = probing_schedule(federation, d)
    whole = s.rounds * s.units * s.batch * 10
    assert whole >= 800 * 2 * 60_000 * 0.99
    assert s.units == 2 ** round(math.log2(s.units))
    fewer = probing_schedule(federation, d * 100)
    assert fewer.batch <= s.batch


def test_a_number_that_is_given_is_kept():
    s = probing_schedule(FEDERATION, D, directions=100, batch=3)
    assert (s.units, s.batch) == (100, 3)


def test_training_has_twenty_rounds_at_least_and_a_batch_that_exists():
    assert training_schedule(FEDERATION).rounds >= 20
    assert training_schedule(Federation(3, 1.0, 5)).batch == 5


def test_theory():
    assert expected_cosine(10, 30) == 0.5
    assert squared_error(10, 31) == 3.0
    assert uncertainty(10) == 3.0
    assert uncertainty(10**8) > 50


@pytest.mark.parametrize(
    ("text", "expected"),
    [("256MiB", 2**28), ("1.5 GB", 1.5e9), ("20", 20.0), ("50kB/s", 5e4), ("2KiB", 2048)],
)
def test_amounts(text, expected):
    assert amount("up", text) == expected


@pytest.mark.parametrize("text", ["", "MiB", "-3", "2 days", "1e3"])
def test_amounts_that_are_none(text):
    with pytest.raises(ConfigError, match="--up"):
        amount("up", text)


def test_the_settings_of_probes_are_said_with_the_candidates_beside_k_and_b():
    def said(candidates):
        planned = [measured("baffle")]
        found = advise(planned, lambda m: Schedule(9, 64, 2, candidates), FEDERATION, Device())
        return sentence(found)

    assert "64 directions a round on 2 examples each, picked among 8 (probe.candidates" in said(8)
    assert "candidates" not in said(0)


@pytest.mark.parametrize("wrong", [{"speed": 0}, {"up": -1.0}, {"memory": 0.0}])
def test_a_device_that_cannot_be(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Device(**wrong)


def test_a_federation_that_cannot_be():
    with pytest.raises(ConfigError, match="participation"):
        Federation(10, 0.0)


@pytest.mark.parametrize("module", ["costs", "device", "given", "learning"])
def test_examples(module):
    results = doctest.testmod(importlib.import_module(f"baffle.bench.advise.{module}"))
    assert results.failed == 0
    assert results.attempted > 0
