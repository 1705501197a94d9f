"""A baseline's run from the outside: folder, command line, calibration, refusals."""

import json
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from baffle.api import Hooks, federate, run
from baffle.baselines import BASELINES
from baffle.config import Settings, load_config, resolve
from baffle.drivers.build import policy
from baffle.drivers.local.baseline import choose_threads, start_baseline
from baffle.drivers.local.baseline_rules import require_plain
from baffle.drivers.local.calibrate import MAX_TRIALS, tuning_of
from baffle.drivers.local.metrics import read_metrics
from baffle.drivers.local.task import task_of
from baffle.errors import ConfigError, LedgerError
from baffle.report import summarise
from tests.baselines.small import NAMES, STEPS, finished, linear, settings, task
from tests.cli.run_cli import call, last_json

QUICK = ("--rounds", 3, "--step-size", 0.1, "--set", "engine.threads=1")


@pytest.fixture
def no_pictures(monkeypatch):  # they cost more than the runs
    monkeypatch.setattr(sys.modules["baffle.api.run"], "draw_if_possible", lambda folder: None)


@pytest.mark.usefixtures("no_pictures")
def test_a_run_from_the_command_line_leaves_the_folder_of_any_run(tmp_path, capsys):
    folder = tmp_path / "run"
    args = ("run", "--algorithm", "fedavg", *QUICK, "--out", folder, "--json")
    code, out, _ = call(capsys, *args)
    assert code == 0
    found = last_json(out)
    assert found["algorithm"] == "fedavg"
    assert found["dimension"] == 4810
    assert found["bytes_up_per_report"] == 4 * 4810
    assert found["gradient_examples"] == found["example_evaluations"] == 3 * 5 * 10 * 32
    names = {"config.toml", "metrics.jsonl", "metrics.csv", "model.safetensors"}
    assert names <= {path.name for path in folder.iterdir()}
    assert sum(w.size for w in load_file(folder / "model.safetensors").values()) == 4810
    assert [row["round"] for row in read_metrics(folder)] == [1, 2, 3]
    for command in ("verify", "replay", "resume", "evaluate"):
        code, _, err = call(capsys, command, folder)
        assert code == 1
        assert "a baseline, which keeps no ledger" in " ".join(err.split())
    code, out, _ = call(capsys, "show", folder)
    assert code == 0
    assert "differentiated" in out
    again = call(capsys, "run", "--algorithm", "fedavg", *QUICK, "--out", folder)
    assert again[0] == 1
    assert "holds a run already" in again[2]


def test_the_configuration_of_a_run_repeats_it_bit_for_bit(tmp_path):
    first = finished(tmp_path / "a", "fedzo", {"rounds": 2})
    stored = resolve(load_config(tmp_path / "a" / "config.toml"))
    second = start_baseline(stored, task(), tmp_path / "b")
    second.run()
    assert second.settings == first.settings
    assert second.state.digest() == first.state.digest()
    assert second.run_id == first.run_id


@pytest.mark.usefixtures("no_pictures")
def test_an_automatic_step_size_is_found_by_training_loss_and_counted(tmp_path):
    trials = []
    chosen = settings("fedsgd", {"rounds": 16, "update": {"step_size": "auto"}})
    summary = run(chosen, task(), tmp_path, Hooks(on_trial=trials.append))
    assert 2 <= len(trials) <= MAX_TRIALS
    best = min(trials, key=lambda trial: trial.loss)
    assert summary.choices["step_size"] == pytest.approx(best.step_size, rel=1e-2)
    rounds = 16 * (len(trials) + 1)
    assert summary.probes == rounds * 3
    assert summary.gradient_examples == summary.example_evaluations == rounds * 3 * 16
    assert summary.bytes_up == rounds * 3 * 4 * 8


@pytest.mark.usefixtures("no_pictures")
def test_someones_own_model_is_trained_by_a_baseline(tmp_path):
    model, given = linear(), task()
    before = [p.detach().clone() for p in model.parameters()]
    parts = [given.train.batch(rows) for rows in given.rows]
    config = {
        "algorithm": "fedavg",
        "update": {"step_size": 0.5},
        "engine": {"threads": 1},
        "federation": {"participation": 1.0},
    }
    result = federate(
        model, parts, loss=given.loss, rounds=3, test=parts[0], run_dir=tmp_path, config=config
    )
    stored = load_file(tmp_path / "model.safetensors")
    for name, parameter in model.named_parameters():
        assert np.array_equal(parameter.detach().numpy(), stored[name])
    assert all(not p.equal(b) for p, b in zip(model.parameters(), before, strict=True))
    assert result.history[-1]["loss"] < result.history[0]["loss"]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"quantisation": {"bits": 8}}, r"\[quantisation\]"),
        ({"secure": {"sums": True}}, r"\[secure\]"),
        ({"robust": {"rule": "median"}}, r"\[robust\]"),
        ({"hostile": {"share": 0.1}}, r"\[hostile\]"),
        ({"groups": {"number": 2}}, r"\[groups\]"),
        ({"engine": {"precision": "bfloat16"}}, "engine.precision"),
        ({"probe": {"radii": "by_tensor"}}, "probe.radii"),
        ({"update": {"normalised": True}}, "divides by no deviation"),
        ({"update": {"optimiser": "adam"}}, "update.optimiser sgd"),
        ({"algorithm": "es", "probe": {"num_local_steps": 2}}, "num_local_steps 1, got 2"),
        ({"algorithm": "es", "probe": {"radius": "auto"}}, "set probe.radius to a number"),
        ({"algorithm": "es", "probe": {"directions": "rank_one"}}, "directions gaussian, got"),
    ],
)
def test_what_a_baseline_cannot_do_is_refused_by_name(tmp_path, section, said):
    chosen = resolve({"algorithm": "fedavg"}, section)
    with pytest.raises(ConfigError, match=said):
        start_baseline(chosen, task(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", NAMES)
def test_defaults_of_every_baseline_are_accepted(name):
    require_plain(resolve({"algorithm": name}))
    assert tuning_of(name) == BASELINES[name].tuning


def test_threads_are_measured_once_and_then_kept():
    free = settings("fedsgd", {"engine": {"threads": 0}})
    assert choose_threads(free, task(), (1,)).engine.threads == 1
    assert choose_threads(settings("fedsgd"), task(), (7,)).engine.threads == 1


def test_a_run_shorter_than_an_epoch_is_judged_by_its_weights_and_not_by_where_it_began(tmp_path):
    """The reference's average has not moved yet; what would be tested is the model it was given."""
    short = settings("baffle-reference", {"rounds": 2, "probe": {"batch": 1}})
    session = start_baseline(short, task(), tmp_path)
    before = {name: array.copy() for name, array in session.served().items()}
    session.run()
    assert session.state.updates < session.server.average_every
    assert any((array != before[name]).any() for name, array in session.served().items())


def test_a_summary_says_what_floats_reveal(tmp_path):
    session = start_baseline(settings("es", {"rounds": 1}), task(), tmp_path)
    session.run()
    found = summarise(tmp_path)
    assert found.revealed["the server"].startswith("every client's 16 floats a round")
    assert json.loads(found.as_json())["gradient_examples"] == 0
    with pytest.raises(LedgerError):
        start_baseline(settings("es"), task(), tmp_path)


def test_local_steps_of_decomfl_are_as_long_as_the_servers():
    signature = policy_of({"algorithm": "decomfl", "update": {"step_size": 0.25}})
    assert signature.local_step_size == signature.step_size == 0.25
    fixed = {"step_size": 0.25, "local_step_size": 0.1}
    assert policy_of({"algorithm": "decomfl", "update": fixed}).local_step_size == 0.1
    assert Settings().update.local_step_size == 0.01


def policy_of(section):
    from baffle.backends.torch import model_signature

    return policy(resolve(section), model_signature(linear()))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_convolutional_model_with_group_norm_is_trained_and_drawn(tmp_path, name):
    given = {
        "algorithm": name,
        "rounds": 3,
        "model": {"name": "lenet", "options": {"norm": "group", "widths": [16, 32]}},
        "data": {"options": {"image": True}},
        "probe": {"num_directions": 6},
        "update": {"step_size": STEPS[name] / 10},
        "engine": {"threads": 1},
    }
    chosen = resolve(given)
    summary = run(chosen, task_of(chosen), tmp_path)
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    assert 0 <= summary.test_accuracy <= 1
    assert summary.bytes_up
