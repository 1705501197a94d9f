"""`baffle.federate`: someone's own module and own data, in one call."""

import copy
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn
from torch.utils.data import TensorDataset

import baffle
from baffle.api import Hooks
from baffle.backends.torch import initial_weights
from baffle.errors import BaffleError, LedgerError
from baffle.ledger import Ledger
from baffle.ledger.replay import replay

CONFIG = {
    "probe": {"num_directions": 24, "batch": 8, "pairs": 4},
    "update": {"step_size": 0.05},
    "engine": {"chunk": 32, "threads": 1},
    "output": {"evaluate_every": 4, "snapshot_every": 3},
}
TRUTH = torch.tensor([[1.0, -2.0, 0.5]])


def regression(clients=4, rows=24):
    g = torch.Generator().manual_seed(1)
    inputs = [torch.randn(rows, 3, generator=g) for _ in range(clients)]
    return [(x, x @ TRUTH.T + 1) for x in inputs]


def classification(clients=4, rows=24):
    return [(x, (y[:, 0] > 1).long()) for x, y in regression(clients, rows)]


def module(outputs=1, seed=0):
    torch.manual_seed(seed)
    return nn.Linear(3, outputs)


def federate(folder, model, clients, loss=nn.functional.mse_loss, rounds=8, config=(), **more):
    settings = {**CONFIG, **dict(config)}
    return baffle.federate(
        model, clients, loss=loss, rounds=rounds, run_dir=folder, config=settings, **more
    )


def digests(result):
    return [row["digest"] for row in result.history]


def test_regression_reaches_the_truth_and_the_module_itself_is_trained(tmp_path):
    model, before = module(), initial_weights(module())
    kept = dict(model.named_parameters())
    test = regression(1, 200)[0]
    result = federate(tmp_path, model, regression(), rounds=80, test=test)
    assert result.model is model
    assert all(p is kept[name] for name, p in model.named_parameters())
    assert all(p.grad is None for p in model.parameters())
    assert result.run_dir == tmp_path
    assert [row["round"] for row in result.history] == list(range(1, 81))
    first, last = (r["test_loss"] for r in (result.history[3], result.history[-1]))
    assert last < 0.05 * first
    assert "test_accuracy" not in result.history[-1] or not result.history[-1]["test_accuracy"]
    with torch.no_grad():
        mean = nn.functional.mse_loss(model(test[0]), test[1])
    assert mean.item() == pytest.approx(last, rel=1e-5)
    shipped = load_file(tmp_path / "model.safetensors")
    for name, values in initial_weights(model).items():
        assert np.array_equal(values, shipped[name])
        assert not np.array_equal(values, before[name])


def test_classification_is_evaluated_by_accuracy(tmp_path):
    result = federate(
        tmp_path, module(2), classification(), nn.functional.cross_entropy, rounds=40,
        test=classification(1, 200)[0],
    )  # fmt: skip
    assert result.summary.test_accuracy == result.history[-1]["test_accuracy"] > 0.9
    assert result.summary.digest == result.history[-1]["digest"]


def test_pairs_arrays_and_data_sets_are_the_same_to_it(tmp_path):
    forms = {
        "tensors": regression(),
        "lists": [list(pair) for pair in regression()],
        "arrays": [(x.numpy(), y.numpy()) for x, y in regression()],
        "datasets": [TensorDataset(*pair) for pair in regression()],
        "mixed": [*regression()[:2], *(TensorDataset(*p) for p in regression()[2:])],
    }
    found = {
        name: digests(federate(tmp_path / name, module(), clients, test=clients[0]))
        for name, clients in forms.items()
    }
    assert len(found["tensors"]) == 8
    assert all(each == found["tensors"] for each in found.values())


def test_clients_of_different_sizes_and_inputs_of_their_own_type(tmp_path):
    sizes = (1, 3, 40)
    clients = [(torch.full((n, 2), n), torch.rand(n, 4)) for n in sizes]
    model = nn.Sequential(nn.Embedding(50, 2), nn.Flatten())
    result = federate(tmp_path, model, clients, rounds=2, config={"federation": {"cohort": 3}})
    # Every client probes K + 4 points on its batch of at most 8.
    assert result.history[-1]["example_evaluations"] == 2 * 28 * (1 + 3 + 8)


def test_it_goes_on_after_a_stop_with_the_digests_of_a_run_that_did_not(tmp_path):
    whole = federate(tmp_path / "whole", module(), regression())
    seen = []
    hooks = Hooks(on_round=seen.append, stop=lambda: len(seen) == 3)
    part = federate(tmp_path / "part", module(), regression(), hooks=hooks)
    assert digests(part) == digests(whole)[:3]
    with Ledger.open(tmp_path / "part") as ledger:
        assert ledger.last_round == 3
    other = module(seed=5)  # its weights come from the ledger, not from the module
    rest = federate(tmp_path / "part", other, regression(), resume=True)
    assert digests(rest) == digests(whole)
    for name, values in initial_weights(whole.model).items():
        assert np.array_equal(initial_weights(other)[name], values)
    for total in ("bytes_up", "bytes_down", "probes", "example_evaluations"):
        assert rest.history[-1][total] == whole.history[-1][total]


def test_the_ledger_alone_gives_the_weights_of_someones_own_module(tmp_path):
    result = federate(tmp_path, module(), regression())
    with Ledger.open(tmp_path) as ledger:
        state = replay(ledger).state
    assert state.digest().hex() == result.summary.digest
    for name, values in state.numpy()["ema"].items():
        assert np.array_equal(values, initial_weights(result.model)[name])


def test_hooks_are_told_in_order(tmp_path):
    told = []
    hooks = Hooks(
        on_trial=lambda t: told.append("trial"),
        on_start=lambda s: told.append("start"),
        on_round=lambda r: told.append(r["round"]),
    )
    federate(tmp_path, module(), regression(), rounds=3, hooks=hooks)
    assert told == ["start", 1, 2, 3]


def test_a_step_size_left_to_it_is_measured_counted_and_leaves_the_start_alone(tmp_path):
    trials = []
    config = {"update": {"step_size": "auto"}}
    hooks = Hooks(on_trial=trials.append)
    result = federate(tmp_path / "a", module(), regression(), rounds=2, config=config, hooks=hooks)
    assert 3 <= len(trials) <= 5
    alone = 2 * 2 * 28  # two rounds, two clients, K + 4 probes
    assert result.history[-1]["probes"] == sum(t.probes for t in trials) + alone
    chosen = {"update": {"step_size": result.summary.choices["step_size"]}}
    again = federate(tmp_path / "b", module(), regression(), rounds=2, config=chosen)
    assert digests(again) == digests(result)


def test_resuming_what_is_not_there_or_not_the_same(tmp_path):
    with pytest.raises(ValueError, match="run_dir"):
        baffle.federate(module(), regression(), loss=nn.functional.mse_loss, rounds=2, resume=True)
    with pytest.raises(LedgerError, match="is not a run"):
        federate(tmp_path / "none", module(), regression(), resume=True)
    federate(tmp_path / "run", module(), regression(), hooks=Hooks(stop=lambda: True))
    with pytest.raises(LedgerError, match="holds a run already"):
        federate(tmp_path / "run", module(), regression())
    with pytest.raises(BaffleError, match="got weight"):
        federate(tmp_path / "run", module(outputs=2), regression(), resume=True)
    for clients in (3, 5):
        with pytest.raises(BaffleError, match=f"4 clients, got {clients}"):
            federate(tmp_path / "run", module(), regression(clients), resume=True)
    assert len(federate(tmp_path / "run", module(), regression(), resume=True).history) == 8


def test_frozen_parameters_and_buffers_stay(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    model[0].requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    federate(tmp_path, model, regression(), rounds=3)
    after = model.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {"0.weight", "0.bias", "1.running_mean", "1.running_var"} <= same
    assert not {"1.weight", "2.weight", "2.bias"} & same


def test_public_names_are_these():
    assert baffle.__all__ == [
        "BaffleError", "Result", "Settings", "__version__", "advise", "federate", "resolve",
    ]  # fmt: skip
    assert all(getattr(baffle, name) is not None for name in baffle.__all__)
    with pytest.raises(AttributeError, match="no attribute 'federated'"):
        baffle.federated  # noqa: B018


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        ("baffle.protocol", ["torch", "pydantic", "typer", "rich", "sqlite3", "matplotlib"]),
        ("baffle.ledger.replay", ["torch", "pydantic", "typer", "rich", "matplotlib"]),
        ("baffle.cli", ["torch", "matplotlib", "sklearn"]),
    ],
)
def test_a_small_part_does_not_load_the_rest(imported, absent):
    script = f"import sys, json, {imported}; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert not set(absent) & set(json.loads(found.stdout))
