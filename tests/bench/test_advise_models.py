"""Which of several models to train: short runs that are really done, and the rule on top."""

import doctest
import importlib
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import baffle
from baffle.bench.advise import among, short_run
from baffle.bench.advise.among import Limits, ask_among, makers
from baffle.bench.advise.choosing import NEAR, SURE, Choice, Tried
from baffle.bench.advise.learning import Federation, Schedule
from baffle.bench.advise.short_run import (
    LEAST_ROUNDS,
    Learned,
    ShortRun,
    _climb,
    fitting,
    learn,
)
from baffle.config.settings import ProbeSettings
from baffle.data import Dataset
from baffle.errors import ConfigError, DataError, ModelError, ProbeError
from baffle.report.advised_models import as_json, basis, reasons, rows, sentence, sureness

ROUNDS = 20  # enough for two classes that lie apart
TWO = Federation(2, 1.0)
ENGINE = {"threads": 1, "chunk": 16, "clients": 2}


def dataset(test_seed=1):
    """Two classes apart by their first column."""

    def split(seed, count):
        chance = np.random.default_rng(seed)
        y = chance.integers(0, 2, count)
        x = chance.normal(size=(count, 6)).astype(np.float32)
        x[:, 0] += 4 * y - 2
        return x, y.astype(np.int64)

    return Dataset("apart", *split(0, 40), *split(test_seed, 8), classes=2)


@pytest.fixture(autouse=True)
def _half_as_many_rounds(monkeypatch):
    monkeypatch.setattr(short_run, "FEWEST_ROUNDS", ROUNDS)


def short(evaluations=1_200, most=1, start=0.16, **how):
    data = how.pop("data", dataset())
    return ShortRun(data, TWO, evaluations, start=start, most=most, engine=ENGINE, **how)


def tried(model, loss, multiply_adds, steps=(0.04,)):
    losses = dict.fromkeys(steps, loss)
    return Tried(model, 10, multiply_adds, Learned(losses, Schedule(100, 16, 1, 4), 1_000), 2.0)


def choice(*each, classes=10):
    return Choice(each, 10, classes)


@pytest.mark.parametrize("evaluations", [30_000, 300_000, 3_000_000])
@pytest.mark.parametrize("usual", [ProbeSettings(), ProbeSettings(num_directions=100, batch=3)])
def test_a_budget_is_enough_rounds_and_is_used_up(evaluations, usual):
    s = fitting(evaluations, usual, Federation(10, 1.0, 1_000))
    cost = 10 * ((s.units + usual.pairs) * s.batch + s.candidates)
    assert s.units <= usual.num_directions
    assert s.batch <= usual.batch
    assert s.rounds >= LEAST_ROUNDS
    assert evaluations - cost < s.rounds * cost <= evaluations


def test_too_few_evaluations_and_too_many_clients_are_refused_before_anything_is_trained():
    with pytest.raises(ConfigError, match=f"at least {ROUNDS * 2 * 28:,}"):
        short(1_000)
    with pytest.raises(DataError, match="client"):
        ShortRun(dataset(), Federation(50), 1e6)


def test_a_short_run_learns_spends_what_it_may_and_leaves_the_model_as_it_was():
    run = short(start=0.08, most=2)
    model = makers(["linear"], run)["linear"]()
    before = {name: p.clone() for name, p in model.named_parameters()}
    found = learn(model, run)
    assert set(found.losses) == {0.08, 0.16}
    assert found.loss == min(found.losses.values()) < 0.3 * math.log(2)
    assert 0.9 * run.evaluations < found.evaluations <= run.evaluations
    assert found.all_evaluations == 2 * found.evaluations
    assert all(torch.equal(before[name], p) for name, p in model.named_parameters())
    other = learn(model, short(data=dataset(test_seed=2)))
    assert (
        other.loss == found.losses[0.16]
    )  # whatever the test rows are, and whatever was run before


@pytest.mark.parametrize(
    ("best", "asked"),
    [
        (0, {0, 1, -1}),
        (2, {0, 1, 2, 3}),
        (-3, {0, 1, -1, -2, -3, -4}),
        (-9, {0, 1, -1, -2, -3, -4}),  # no more than six
    ],
)
def test_step_sizes_go_on_until_both_neighbours_are_worse(best, asked):
    known = {}

    def loss(power):
        return known.setdefault(power, abs(power - best))

    _climb(loss, known, 6)
    assert set(known) == asked


def test_a_model_that_diverges_is_refused():
    with pytest.raises(ProbeError, match="diverged"):
        learn(nn.Linear(6, 2), short(start=1e38))


def test_what_cannot_be_tried_has_its_line_and_the_others_go_on():
    run = short()
    broken = {
        "narrow": lambda: nn.Linear(5, 2),
        "blind": lambda: nn.Linear(6, 1),  # one class of the two has no output
        "large": lambda: nn.Linear(6, 200),
        "frozen": lambda: nn.Linear(6, 2).requires_grad_(False),
        **makers(["convnet", "linear"], run),
    }
    found = ask_among(broken, run, Limits(max_weights=100))
    why = {t.model: t.why_not for t in found.tried}
    assert found.best.model == "linear"
    assert why["large"].startswith("more than the 100 weights")
    assert "shapes cannot be multiplied" in why["narrow"]
    assert "8 pixels" in why["convnet"]
    assert "requires" in why["frozen"]
    assert "bounds" in why["blind"]
    assert not why["linear"]
    assert [row[-1] for row in rows(found)] == ["take this", *["failed"] * 2, "not tried"] + [
        "failed"
    ] * 2
    assert len(reasons(found)) == 5


def test_names_that_are_no_models_are_refused_and_nothing_may_be_left():
    with pytest.raises(ModelError, match="lenet"):
        makers(["linear", "lenot"], short())
    with pytest.raises(ConfigError, match="max-weights"):
        Limits(-1)
    with pytest.raises(ConfigError, match="none"):
        ask_among({}, short())


def test_the_least_training_loss_wins_whatever_it_costs():
    found = choice(tried("cheap", 1.0, 10), tried("good", 0.5, 1_000))
    assert found.best.model == "good"
    assert found.gap == pytest.approx(1.0)
    assert sureness(found).startswith("Sure")
    assert "cheap comes next, with a loss 100.0 % above" in sureness(found)


def test_losses_that_are_alike_go_to_the_fewest_multiply_adds():
    each = (tried("good", 0.5, 1_000), tried("cheap", 0.5 * (1 + NEAR / 2), 10))
    found = choice(*each, tried("next", 0.5 * (1 + SURE / 2), 1))
    assert found.best.model == "cheap"
    assert "fewest multiply-adds" in sentence(found)
    assert sureness(found).startswith("Not sure which of them")
    assert "more: next comes next" in sureness(found)
    assert "within" in sureness(choice(*each))


def test_where_nothing_was_learned_nothing_is_sure():
    found = choice(tried("one", 2.29, 10), tried("two", 6.0, 10))
    assert "more evaluations" in sureness(found)
    none = choice(Tried("one", why_not="no"))
    assert (none.best, sureness(none), basis(none)) == (None, "", "")
    assert "None" in sentence(none)


def test_what_the_runs_cost_a_client():
    one = tried("one", 0.5, 70, steps=(0.02, 0.04))
    assert one.client_multiply_adds(10) == 2 * 1_000 * 70 / 10
    value = as_json(choice(one, Tried("two", 5, 6, why_not="no")))
    assert (value["model"], value["models"][0]["all_evaluations"]) == ("one", 2_000)
    assert value["models"][0].keys() == value["models"][1].keys()
    assert value["models"][1]["loss"] is None


@pytest.fixture
def _learned(monkeypatch):
    """A model of fewer weights learns more; nothing is trained."""

    def learn(model, run, say):
        size = sum(p.numel() for p in model.parameters())
        for p in model.parameters():
            p.data.zero_()
        return replace(tried("", size / 1_000, 1).learned)

    monkeypatch.setattr(among, "learn", learn)


@pytest.mark.usefixtures("_learned")
def test_from_python_by_names_and_by_modules():
    named = baffle.advise(["mlp", "linear"], data=dataset(), federation=TWO, costs=False)
    assert (named.best.model, named.advice) == ("linear", None)
    own = {"wide": nn.Sequential(nn.Linear(6, 9), nn.Linear(9, 2)), "flat": nn.Linear(6, 2)}
    found = baffle.advise(own, data=dataset(), max_weights=20, federation=TWO, costs=False)
    assert (found.best.model, found.tried[0].too_large) == ("flat", True)
    assert own["flat"].weight.abs().sum() > 0
    with pytest.raises(ConfigError, match="data"):
        baffle.advise(["mlp", "linear"])


@pytest.mark.slow
def test_from_python_with_what_it_costs():
    own = {"wide": nn.Sequential(nn.Linear(6, 9), nn.Linear(9, 2)), "flat": nn.Linear(6, 2)}
    how = {"evaluations": 3_000, "seconds": 0.02, "federation": TWO}
    found = baffle.advise(own, data=dataset(), **how)
    assert len(found.advice.verdicts) == 4
    assert found.advice.verdicts[0].cost.measured.dimension == found.best.weights


@pytest.mark.parametrize("module", ["advise.short_run", "advise.among", "advise.choosing"])
def test_examples(module):
    assert doctest.testmod(importlib.import_module(f"baffle.bench.{module}")).failed == 0
