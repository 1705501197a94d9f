"""What `baffle advise` measures, and from where."""

import copy
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import nn

import baffle
from baffle.bench.advise.asking import Question
from baffle.bench.advise.costs import probes_of
from baffle.bench.advise.device import Device
from baffle.bench.advise.given import Given, Named, likely_loss, make
from baffle.bench.advise.learning import Federation, Schedule, picking
from baffle.bench.advise.processes import trials
from baffle.bench.advise.rounds import ProbeRounds
from baffle.bench.advise.steps import TrainingRounds
from baffle.bench.advise.trial import PROBES, WAYS, Trial, answer, as_json, measured, of_json
from baffle.bench.memory import ProcessFailed
from baffle.bench.modules.transformer import Transformer
from baffle.errors import ConfigError, DataError, ModelError
from baffle.models.checkpointing import Checkpointed
from baffle.protocol.steps import evaluations, picks

TINY = Named("linear", (4,), 3)


def clock():
    return 0.0


def flat():
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def given(module=None, examples=6):
    chance = torch.Generator().manual_seed(0)
    rows = torch.randn(examples, 4, generator=chance)
    return Given(module or flat(), rows, torch.arange(examples) % 3, likely_loss)


@pytest.mark.parametrize("way", WAYS)
def test_each_way_is_measured(way):
    trial = Trial(Named("given"), way, 6, units=16, seconds=0.0)
    found = measured(trial, given(), 100.0)
    assert found["dimension"] == sum(p.numel() for p in flat().parameters())
    assert all(whole >= rest >= 0 for _, whole, rest in found["points"])
    assert found["peak_mib"] > 0
    assert bool(found["parts"]) == (way == "fedavg-checkpointed")


def test_a_round_by_probes_sends_what_the_protocol_says():
    rounds = ProbeRounds(given(), 32, low_memory=False, threads=1, clients=3)
    before = rounds.server.digest
    rounds.round(clock)
    assert rounds.up == 56 + 2 * 32
    assert rounds.probes == 40
    assert rounds.server.digest != before
    assert rounds.server.state.round == 1


@pytest.mark.parametrize(("low_memory", "entries"), [(False, 4), (True, 3)])
def test_a_low_memory_round_keeps_no_average(low_memory, entries):
    rounds = ProbeRounds(given(), 16, low_memory=low_memory, threads=1)
    slots = rounds.server.state.numpy()
    d = sum(p.numel() for p in flat().parameters())
    assert sum(a.size for slot in slots.values() for a in slot.values()) == entries * d


@pytest.mark.parametrize("make_module", [flat, lambda: Transformer(8, 3, 2, 3)])
def test_a_checkpointed_step_is_the_same_step(make_module):
    torch.manual_seed(0)
    module = make_module()
    twice, rows = copy.deepcopy(module), torch.randn(2, 4)
    rows = rows if isinstance(module, nn.Sequential) else torch.randn(2, 5, 8)
    checkpointed = Checkpointed(twice)
    assert len(checkpointed.pieces) >= 2
    for each, how in ((module, nullcontext()), (twice, checkpointed.on())):
        with how:
            TrainingRounds(Given(each, rows, torch.tensor([0, 2]), likely_loss), 2).round(clock)
    for a, b in zip(module.parameters(), twice.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_module_of_one_layer_has_no_parts():
    trial = Trial(Named("given"), "fedavg-checkpointed", 6)
    found = measured(trial, given(nn.Sequential(nn.Linear(4, 3))), 100.0)
    assert (found["parts"], found["points"]) == (0, [])


@pytest.mark.parametrize("examples", [6, 12, 24])
def test_a_client_with_more_than_a_batch_picks_and_its_looks_are_counted(examples):
    rounds = ProbeRounds(given(examples=examples), 32, False, threads=1, batch=6)
    rounds.round(clock)
    schedule = picking(Schedule(1, 32, 6), Federation(examples=examples))
    assert rounds.probes == probes_of(schedule) == 40 + (examples if examples > 6 else 0) / 6
    plan = rounds.server.open_round() and rounds.server.plan
    assert picks(plan, examples) == (examples > 6)
    assert evaluations(plan, examples) == rounds.probes * 6


def test_a_picked_batch_is_measured_and_asked_for():
    question = Question(Federation(examples=20), batch=8)
    schedule = question.schedule(PROBES, 100)
    assert (schedule.batch, schedule.candidates) == (8, 20)
    assert question.schedule("fedavg", 100).candidates == 0
    trial = Trial(Named("given"), PROBES, 8, units=16, seconds=0.0, candidates=20, exact=True)
    assert measured(trial, given(examples=trial.examples), 100.0)["points"][0][0] == 16 + 4 + 2.5


def test_a_trial_survives_its_line():
    trial = Trial(Named("wrn", (3, 8, 8), 4, trained="head"), PROBES, 2)
    assert of_json(as_json(trial)) == trial
    assert "candidates" not in as_json(trial)  # studies know their trials by these words
    picked = replace(trial, candidates=8)
    assert of_json(as_json(picked)) == picked
    assert of_json(as_json(Trial(TINY, PROBES, 2))).named.in_shape == (4,)


def test_what_goes_wrong_in_a_process_is_told():
    assert "expected a model among" in answer(as_json(Trial(Named("lenot"), PROBES, 1)))


@pytest.mark.parametrize(("part", "expected"), [("all", 45 + 90), ("head", 90), ("lora", 8 * 18)])
def test_parts(part, expected, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "from torch import nn, randn, zeros\n"
        "def net():\n    return nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 9))\n"
        "def rows(n):\n    return randn(n, 4), zeros(n, 9)\n"
        "def wrong(n):\n    return randn(n + 1, 4), zeros(n + 1, 9)\n"
    )
    named = Named(f"{file}:net", example=f"{file}:rows", trained=part)
    found = make(named, 3)
    assert found.dimension == expected
    assert len(found.of_size(7)) == 7
    assert likely_loss(found.module(found.inputs), found.targets).ndim == 0
    with pytest.raises(DataError, match="expected 3 examples"):
        make(Named(f"{file}:net", example=f"{file}:wrong"), 3)


def test_what_cannot_be_made():
    with pytest.raises(ConfigError, match="--in-shape"):
        make(Named("torch.nn:Identity"), 2)
    with pytest.raises(ConfigError, match="trained part"):
        make(Named("linear", (4,), 3, trained="tail"), 2)
    with pytest.raises(ModelError, match="no 'nowhere'"):
        make(Named("linear", example="math:nowhere"), 2)
    with pytest.raises(ConfigError, match="threads"):
        Question(threads=0)


def test_python_wants_an_example():
    with pytest.raises(ConfigError, match="example"):
        baffle.advise(nn.Linear(2, 2))


@pytest.mark.slow
def test_a_module_in_this_process():
    module = flat()
    before = copy.deepcopy(module.state_dict())
    rows = given(module)
    device = Device(inference_only=True)
    found = baffle.advise(module, (rows.inputs, rows.targets), device=device, seconds=0.02)
    assert found.best.name.startswith("BAFFLE")
    assert all(
        torch.equal(a, b)
        for a, b in zip(before.values(), module.state_dict().values(), strict=True)
    )
    assert all(v.cost.memory > 50 * 2**20 for v in found.verdicts)


@pytest.mark.slow
def test_a_named_model_in_processes_of_their_own():
    found = baffle.advise("lenet5", seconds=0.05)
    assert found.best.name.startswith("FedAvg")
    assert len(found.verdicts) == 4


@pytest.mark.slow
def test_a_process_goes_on_after_a_trial_that_failed():
    with trials() as running:
        with pytest.raises(ProcessFailed, match="expected a model among"):
            running.measure(Trial(Named("lenot"), PROBES, 1))
        found = running.measure(Trial(TINY, PROBES, 2, units=8, seconds=0.0))
    assert found["dimension"] == 15
