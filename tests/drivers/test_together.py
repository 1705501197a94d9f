"""Clients in one pass: a run that repeats and resumes, and the bytes of each client alone."""

import dataclasses

import numpy as np
import pytest
import torch

from baffle.backends.torch import TorchProbe, loading
from baffle.config import load_config, resolve
from baffle.drivers.local import OneByOne, Together
from baffle.drivers.local.metrics import read_metrics
from baffle.drivers.local.passes import passes
from baffle.drivers.local.session import resume, start
from baffle.drivers.local.task import own_task, task_of
from baffle.errors import Refused
from baffle.ledger import Ledger
from baffle.ledger.replay import states
from baffle.protocol import Genesis, decode_plan, decode_report
from tests.drivers.small import FULL, SMALL, begin, digests, finished

FAULTS = {"federation": {"participation": 1.0, "dropout": 0.2, "slow": 0.2}}
TOGETHER = {"engine": {"clients": 4}}
PICKING = {"probe": {"batch": 2, "candidates": 6}}


def asked(session, clients=range(10)):
    """A round's plan and what the clients hold, ready for `collect`."""
    server = session.federation.server
    return server.open_round(), server.state, server.digest, list(clients)


@pytest.fixture
def session(tmp_path):
    session = begin(tmp_path / "asked")
    yield session
    session.close()


@pytest.mark.parametrize(
    "sections",
    [
        {},
        FULL,
        {"probe": {"batch": 0}},
        {"quantisation": {"bits": 1}},
        {"probe": {"estimator": "central"}, "federation": {"weighting": "examples"}},
        {"probe": {"batch": 100}},  # more than some clients have
        PICKING,
        {"probe": {"batch": 20, "candidates": 100}},  # some clients have fewer, some no more than B
    ],
    ids=str,
)
def test_from_the_same_losses_come_the_same_bytes(tmp_path, sections):
    session = begin(tmp_path, sections)
    question = asked(session)
    roster = session.federation.collecting.answers.roster
    one = list(OneByOne(roster).collect(*question))
    assert list(Together(roster, 1).collect(*question)) == one
    session.close()


@pytest.mark.parametrize("sections", [{}, PICKING], ids=["drawn", "picked"])
def test_many_in_a_pass_change_losses_by_rounding_alone(tmp_path, sections):
    session = begin(tmp_path, sections)
    question = asked(session)
    plan = decode_plan(question[0])
    roster = session.federation.collecting.answers.roster
    one = [decode_report(a.report, plan) for a in OneByOne(roster).collect(*question)]
    many = [decode_report(a.report, plan) for a in Together(roster, 8).collect(*question)]
    rounding = 1e-6 / plan.radius / 2.0**plan.step_exponent  # of a loss, in quantisation steps
    for alone, together in zip(one, many, strict=True):
        assert alone.client == together.client
        assert np.abs(alone.values - together.values).max() <= 2 * rounding + 2
        assert abs(alone.loss - together.loss) <= 1
    assert roster.probe.apart == ()
    session.close()


def test_answers_come_in_the_order_asked_for_any_order_and_size(session):
    plan, state, digest, _ = asked(session)
    roster = session.federation.collecting.answers.roster
    order = [7, 1, 9, 0, 4]
    for clients in (1, 2, 3, 64):
        answers = list(Together(roster, clients).collect(plan, state, digest, order))
        numbers = [decode_report(a.report, decode_plan(plan)).client for a in answers]
        assert numbers == order
        assert [a.example_evaluations for a in answers] == [
            a.example_evaluations for a in OneByOne(roster).collect(plan, state, digest, order)
        ]
    assert list(Together(roster, 4).collect(plan, state, digest, [])) == []


def test_every_client_checks_the_plan(session):
    plan, state, digest, numbers = asked(session)
    stale = dataclasses.replace(state, round=3)
    with pytest.raises(Refused) as refused:
        list(
            Together(session.federation.collecting.answers.roster, 4).collect(
                plan, stale, digest, numbers
            )
        )
    assert refused.value.reason == "round"


@pytest.mark.parametrize("sections", [{}, FAULTS], ids=["plain", "faults"])
def test_a_run_repeats_and_resumes_anywhere_with_the_same_digests(tmp_path, sections):
    whole = finished(tmp_path / "whole", TOGETHER, sections)
    assert finished(tmp_path / "again", TOGETHER, sections) == whole
    begin(tmp_path / "broken", TOGETHER, sections).close()
    for until in range(1, 9):
        part = resume(tmp_path / "broken", task_of)
        assert part.federation.collecting.answers.clients == 4
        part.run(stop=lambda part=part, until=until: part.state.round >= until)
        part.close()
    assert digests(tmp_path / "broken") == whole
    late = [[r["late"] for r in read_metrics(tmp_path / name)] for name in ("whole", "broken")]
    assert late[0] == late[1]
    with Ledger.open(tmp_path / "whole") as ledger:
        assert [s.state.digest() for s in states(ledger, since=0)][1:] == whole


def test_a_runs_own_configuration_repeats_it(tmp_path):
    first = finished(tmp_path / "a", TOGETHER)
    settings = resolve(load_config(tmp_path / "a" / "config.toml"))
    assert settings.engine.clients == 4
    session = start(settings, task_of(settings), tmp_path / "b")
    session.run()
    session.close()
    assert digests(tmp_path / "b") == first


def test_a_run_from_before_there_was_a_choice_stays_what_it_was(tmp_path):
    """Its genesis says nothing of clients in a pass, so that run and clients' keys are the same."""
    settings = resolve(SMALL)
    old = settings.model_dump(mode="json")
    old["engine"] = {name: old["engine"][name] for name in ("chunk", "threads")}
    for later in ("groups", "robust", "secure", "privacy", "hostile"):
        del old[later]
    del old["federation"]["cohorts"]
    for later in ("radii", "split", "candidates"):
        del old["probe"][later]
    del old["update"]["rounding"]
    whole = finished(tmp_path / "a")
    with Ledger.open(tmp_path / "a") as ledger:
        assert Genesis.from_bytes(ledger.genesis).settings == old
    text = (tmp_path / "a" / "config.toml").read_text()
    assert "clients = 1  # clients in one pass" in text
    lines = [line for line in text.splitlines() if "clients in one pass" not in line]
    (tmp_path / "old.toml").write_text("\n".join(lines))
    again = resolve(load_config(tmp_path / "old.toml"))
    session = start(again, task_of(again), tmp_path / "b")
    assert session.federation.collecting.answers.clients == 1
    session.run()
    session.close()
    assert digests(tmp_path / "b") == whole
    assert finished(tmp_path / "c", {"engine": {"clients": 1}}) == whole


class Mixes(torch.nn.Module):
    """Each output takes a little of every other example of the batch."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(5, 3)

    def forward(self, x):
        h = self.layer(x)
        return h - h.mean(0)


def test_a_module_that_would_mix_clients_gets_each_client_alone(tmp_path):
    generator = torch.Generator().manual_seed(0)
    data = [
        (torch.randn(12, 5, generator=generator), torch.randn(12, 3, generator=generator))
        for _ in range(6)
    ]
    task = own_task(Mixes(), data, torch.nn.functional.mse_loss, None)
    settings = resolve(SMALL, {"federation": {"clients": 6}, "engine": {"clients": 3}})
    session = start(settings, task, tmp_path)
    question = asked(session, range(6))
    answers = session.federation.collecting.answers
    assert list(answers.collect(*question)) == list(OneByOne(answers.roster).collect(*question))
    assert "mixes the examples" in answers.roster.probe.apart[0]
    session.close()


def test_clients_whose_examples_differ_in_form_go_one_after_another():
    data = [(torch.randn(6, 4), torch.randn(6, 2)), (torch.randn(6, 5), torch.randn(6, 2))]
    task = own_task(torch.nn.LazyLinear(2), data, torch.nn.functional.mse_loss, None)
    task.model(data[0][0])
    inputs, _ = task.train.batch(np.array([0, 5]))
    assert torch.equal(inputs, data[0][0][[0, 5]])

    class Cuts(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x[:, :4])

    task = own_task(Cuts(4, 2), data, torch.nn.functional.mse_loss, None)
    probe = TorchProbe(task.model, task.loss, task.train)
    from tests.backends.helpers import some_points

    weights = {n: p.detach().numpy() for n, p in task.model.named_parameters()}
    points = some_points(task.model)
    groups = [np.arange(3), np.arange(6, 9)]
    found = probe.many(weights, points, groups)
    assert np.array_equal(found, [probe(weights, points, g) for g in groups])
    assert "differ in form" in probe.apart[0]


def test_examples_of_several_clients_come_in_the_order_asked():
    data = [(torch.full((4, 2), float(c)), torch.arange(4) + 10 * c) for c in range(3)]
    examples = own_task(torch.nn.Linear(2, 2), data, torch.nn.functional.mse_loss, None).train
    inputs, targets = examples.batch(np.array([9, 1, 0, 5, 10]))
    assert inputs[:, 0].tolist() == [2, 0, 0, 1, 2]
    assert targets.tolist() == [21, 1, 0, 11, 22]


@pytest.mark.parametrize("count", range(40))
@pytest.mark.parametrize("most", [1, 3, 8])
def test_passes_cover_all_clients_once_in_few_shapes(count, most):
    found = [range(count)[part] for part in passes(count, most)]
    assert [n for part in found for n in part] == list(range(count))
    sizes = {len(part) for part in found}
    assert all(0 < s <= most for s in sizes)
    assert sizes <= {most, 1, 2, 4}


def test_a_rounds_weights_are_loaded_once_for_all_its_clients(tmp_path, monkeypatch):
    """States hold read-only arrays, also one that a resume rebuilt."""
    loads = []
    load = loading.load_weights
    monkeypatch.setattr(loading, "load_weights", lambda *a: (loads.append(1), load(*a)))
    begin(tmp_path, {"federation": {"participation": 1.0}}).close()
    for rounds in (2, 4):
        session = resume(tmp_path, task_of)
        loads.clear()
        session.run(stop=lambda s=session, r=rounds: s.state.round >= r)
        arrays = [a for slot in session.state.slots.values() for a in slot.values()]
        session.close()
        assert len(loads) == 2
        assert not any(a.flags.writeable for a in arrays)


def test_what_picking_costs_is_counted(tmp_path):
    finished(tmp_path / "run", PICKING)
    rows = read_metrics(tmp_path / "run")
    with Ledger.open(tmp_path / "run") as ledger:
        plan = decode_plan(next(iter(ledger.rows())).plan)
    assert plan.candidates == 6
    each = plan.probes * 2 + 6
    assert rows[0]["example_evaluations"] == rows[0]["asked"] * each
