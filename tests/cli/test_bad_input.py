"""Bad input: one clear sentence, exit 1 or 2, no traceback, what was stored stays readable."""

import gzip
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import baffle
from baffle.errors import BaffleError, DataError, LedgerLocked, ModelError, ProbeError
from baffle.ledger import Ledger
from tests.cli.run_cli import call
from tests.cli.test_commands import FAST


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--set", "probe.directionz=3"], "probe.directionz is no setting"),
        (["--set", "nonsense=3"], "nonsense is no setting"),
        (["-K", 0], "probe.num_directions must be greater than or equal to 1, got 0"),
        (["-K", 9], "at least 2 one-sided directions, got 9 directions of which 8"),
        (["--radius", 0], "probe.radius must be greater than 0, got 0"),
        (["--radius", -1], "probe.radius must be greater than 0, got -1"),
        (["--radius", "nan"], "probe.radius must be a finite number"),
        (["--step-size", "big"], "update.step_size must be"),
        (["--bits", 25], "quantisation.bits must be less than or equal to 24"),
        (["--participation", 0], "participation must be greater than 0"),
        (["--algorithm", "magic"], "algorithm must be one of baffle, baffle-paper, mezo, decomfl"),
        (["--data", "imagenet"], "expected a data set among"),
        (["--model", "gpt5"], "expected a model among"),
        (["--set", "rounds"], "SECTION.KEY=VALUE"),
        (["--clients", 3, "--set", "federation.cohort=4"], "cohort must lie in 0 to"),
        (
            ["--bits", 24, "--set", "federation.weighting=examples", "--set",
             "federation.weight_cap=4294967295", "-K", 16777215, "--set",
             "probe.directions=gaussian"],
            "not below 2^63 = 9223372036854775808",
        ),
    ],
)  # fmt: skip
def test_a_wrong_setting(args, said, capsys):
    code, out, err = call(capsys, "run", "--step-size", 0.1, *args)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""


def test_a_configuration_file_that_is_missing_or_no_toml(tmp_path, capsys):
    bad = tmp_path / "bad.toml"
    bad.write_text("rounds = = 3")
    for path, said in ((tmp_path / "none.toml", "found none"), (bad, "is not TOML")):
        code, _, err = call(capsys, "run", path)
        assert code == 2
        assert said in " ".join(err.split())


def test_missing_and_truncated_mnist_files(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BAFFLE_DATA", str(tmp_path))
    code, _, err = call(capsys, "run", "--data", "mnist", "--model", "lenet")
    assert code == 2
    assert "train-images-idx3-ubyte" in err
    for name in ("train-images-idx3", "t10k-images-idx3"):
        header = (0x803).to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in (5, 28, 28))
        (tmp_path / f"{name}-ubyte.gz").write_bytes(gzip.compress(header + bytes(100)))
    for name in ("train-labels-idx1", "t10k-labels-idx1"):
        header = (0x801).to_bytes(4, "big") + (5).to_bytes(4, "big")
        (tmp_path / f"{name}-ubyte.gz").write_bytes(gzip.compress(header + bytes(5)))
    code, _, err = call(capsys, "run", "--data", "mnist", "--model", "lenet")
    assert code == 2
    assert "3936" in err or "3920" in err


def test_a_folder_that_is_no_run_another_format_and_a_locked_one(tmp_path, capsys):
    for command in ("resume", "verify", "replay", "evaluate", "show"):
        code, _, err = call(capsys, command, tmp_path)
        assert code == 1
        assert "is not a run" in err
    call(capsys, "run", *FAST, "--out", tmp_path / "r")
    code, _, err = call(capsys, "replay", tmp_path / "r", "--round", 7)
    assert code == 2
    assert "0 to 6" in err
    code, _, err = call(capsys, "run", *FAST, "--out", tmp_path / "r")
    assert code == 1
    assert "holds a run already" in err
    holder = "import sys, time\nfrom baffle.ledger import Ledger\n"
    holder += "l = Ledger.open(sys.argv[1], write=True)\nprint('held', flush=True)\ntime.sleep(60)"
    other = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "r")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(LedgerLocked, match=str(other.pid)):
            Ledger.open(tmp_path / "r", write=True)
        code, _, err = call(capsys, "resume", tmp_path / "r")
        assert code == 1
        code, _, err = call(capsys, "verify", tmp_path / "r")
        assert code == 0
    finally:
        other.kill()
        other.wait()
        other.stdout.close()


def data(clients=3, targets=None):
    return [(torch.randn(9, 4), targets or torch.randint(0, 2, (9,))) for _ in range(clients)]


CONFIG = {
    "probe": {"num_directions": 16, "batch": 4, "pairs": 4},
    "update": {"step_size": 0.05},
    "engine": {"chunk": 16, "threads": 1},
}


def federate(tmp_path, model, clients=None, loss=nn.functional.cross_entropy):
    return baffle.federate(
        model, data() if clients is None else clients, loss=loss, rounds=2,
        run_dir=tmp_path / "r", config=CONFIG,
    )  # fmt: skip


def test_models_that_cannot_be_trained(tmp_path):
    with pytest.raises(ModelError, match="at least one trainable"):
        federate(tmp_path, nn.Linear(4, 2).requires_grad_(False))
    mixing = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2, track_running_stats=False))
    with pytest.raises(ModelError, match="GroupNorm"):
        federate(tmp_path, mixing)


@pytest.mark.parametrize(
    "loss",
    [lambda o, t: o.sum(dim=1), lambda o, t: 3.0, lambda o, t: "low"],
    ids=["vector", "float", "text"],
)
def test_a_loss_that_is_no_scalar_tensor(tmp_path, loss):
    with pytest.raises(ProbeError, match="expected"):
        federate(tmp_path, nn.Linear(4, 2), loss=loss)


def test_a_loss_that_is_never_finite_is_reported_and_the_weights_stay_finite(tmp_path):
    result = federate(tmp_path, nn.Linear(4, 2), loss=lambda o, t: o.mean() * float("nan"))
    assert all(row["abandoned"] for row in result.history)
    assert result.history[-1]["refused"] == {"nonfinite": sum(r["asked"] for r in result.history)}
    assert all(p.isfinite().all() for p in result.model.parameters())


@pytest.mark.parametrize(
    ("clients", "said"),
    [
        ([], "at least one client"),
        ([(torch.zeros(0, 4), torch.zeros(0))], "client 0 has no data"),
        ([(torch.zeros(3, 4), torch.zeros(2))], "as many targets as inputs, got 3 and 2"),
        ([7], "client 0: expected a pair"),
    ],
)
def test_clients_without_usable_data(tmp_path, clients, said):
    with pytest.raises(DataError, match=said):
        federate(tmp_path, nn.Linear(4, 2), clients)


def test_labels_outside_the_classes():
    from baffle.data import Dataset

    x, y = np.zeros((4, 2), np.float32), np.array([0, 1, 2, 1])
    with pytest.raises(DataError, match="label"):
        Dataset("toy", x, y, x, y, classes=2)


def test_every_error_is_in_one_tree():
    import baffle.errors as errors

    kinds = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, Exception)]
    assert all(issubclass(k, BaffleError) for k in kinds)
