"""From a run folder: what is measured, what is left as it was, and what does without data."""

import numpy as np
import pytest
import torch
from torch import nn

from baffle.config import resolve
from baffle.drivers.diagnose import diagnose, diagnosis
from baffle.drivers.diagnose.measuring.drift import excess
from baffle.drivers.diagnose.reading import read
from baffle.drivers.local.session import start
from baffle.drivers.local.task import OWN_TASK, own_task, task_of
from baffle.errors import LedgerError, SignatureMismatch
from tests.drivers.small import begin


def tiny(folder, *sections):
    session = begin(folder, {"probe": {"num_directions": 64}, "rounds": 10}, *sections)
    try:
        session.run()
    finally:
        session.close()
    return session


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("diagnose") / "run")


def test_a_run_is_measured_and_left_as_it_was(healthy):
    before = {p.name: p.read_bytes() for p in healthy.folder.iterdir() if p.is_file()}
    weights = {n: p.detach().clone() for n, p in healthy.task.model.named_parameters()}
    found = diagnose(healthy.folder, healthy.task)
    measured = found.figures.measured
    assert measured.before.own > 0.9
    assert measured.drift.classes == 10
    assert measured.units.keys() == {"act1"}
    assert not measured.silent
    for name, content in before.items():
        assert (healthy.folder / name).read_bytes() == content
    for name, parameter in healthy.task.model.named_parameters():
        assert torch.equal(parameter, weights[name])
    json_ready = found.as_dict()
    assert json_ready["rounds"] == 10
    assert json_ready["measured"]


def test_figures_of_a_round_are_those_of_the_log(healthy):
    figures = read(healthy.folder).figures
    assert [r.number for r in figures.rounds] == list(range(1, 11))
    for found, row in zip(figures.rounds, figures.rows, strict=True):
        assert found.loss == pytest.approx(row["loss"])
        assert found.even_to_odd == pytest.approx(row["even_to_odd"])
        assert found.directions == 64
        assert found.clipped * row["reports"] * 64 == pytest.approx(row["clips"])
    assert 0 < figures.travel.update < figures.travel.moved


@pytest.mark.slow
def test_a_radius_that_is_too_large_is_named_from_a_real_run(tmp_path):
    session = tiny(tmp_path / "run", {"probe": {"radius": 8.0}})
    found = diagnose(session.folder, session.task)
    assert found.first.check == "radius"
    assert "large" in found.first.verdict


@pytest.mark.slow
def test_a_dead_layer_is_silent(healthy, tmp_path):
    task = task_of(healthy.settings)
    with torch.no_grad():
        task.model.linear1.weight.zero_()
        task.model.linear1.bias.fill_(-9.0)
    session = start(healthy.settings, task, tmp_path / "run")
    try:
        session.federation.round()
    finally:
        session.close()
    measured = diagnose(session.folder, task_of(healthy.settings)).figures.measured
    assert measured.silent.keys() == {"linear1.weight", "linear1.bias", "head.weight"}
    assert measured.units["act1"] == 1.0


def test_without_model_and_data_the_folder_is_enough(healthy, tmp_path):
    x, y = np.random.default_rng(0).random((40, 3), np.float32), np.zeros((40, 1), np.float32)
    task = own_task(nn.Linear(3, 1), [(x, y)] * 10, nn.functional.mse_loss, None)
    settings = resolve(healthy.settings.model_dump(), OWN_TASK, {"probe": {"num_directions": 24}})
    session = start(settings, task, tmp_path / "own")
    try:
        session.federation.round()
    finally:
        session.close()
    found = diagnose(session.folder)
    assert found.figures.measured is None
    assert "Python" in found.figures.why_not
    with pytest.raises(SignatureMismatch):
        diagnose(session.folder, healthy.task)


def test_a_model_that_cannot_be_evaluated_here_costs_the_measurements_only(healthy, monkeypatch):
    def fails(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(diagnosis, "measure", fails)
    found = diagnose(healthy.folder)
    assert "out of memory" in found.figures.why_not
    assert any(f.severity == "ok" for f in found.findings)


def test_before_its_first_round_there_is_nothing_to_say(tmp_path):
    begin(tmp_path / "run").close()
    found = diagnose(tmp_path / "run")
    assert [(f.check, f.severity) for f in found.findings] == [("reports", "unknown")]
    assert found.as_dict()["learned"] != found.as_dict()["learned"]  # nan: null in JSON


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(LedgerError, match="not a run"):
        diagnose(tmp_path)


def test_drift_counts_what_is_sure_only():
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=32), 3 * rng.normal(size=(10, 1, 32))
    noise = 0.1 * rng.normal(size=(10, 2, 32))
    assert excess(shared + noise) < 0.1
    assert excess(noise) < 1
    assert 3 < excess(shared + own + noise) < 12


@pytest.mark.slow
@pytest.mark.parametrize("name", ["broken", "healthy"])
def test_real_runs_of_the_study(name):
    from experiments.diagnosis.runs import BROKEN
    from experiments.diagnosis.study import STUDY

    runs = [c for c in STUDY.cells if c.labels["kind"] == name and c.labels["key"] == 0]
    for cell in runs:
        run = cell.labels["run"]
        if run == "MNIST":  # needs its files; the study has it
            continue
        asked = dict(cell.settings["measure"], mend=False)
        found = STUDY.measure(asked)
        if name == "broken":
            assert found["first"] == BROKEN[run][0], (run, found)
        else:
            assert not found["wrong"], (run, found)
