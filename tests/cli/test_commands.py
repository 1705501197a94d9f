"""Each command on a small run: what it prints for people and for machines, and its exit code."""

import sqlite3

import numpy as np
import pytest
from safetensors.numpy import load_file

from baffle.ledger import Ledger
from tests.cli.run_cli import call, last_json

FAST = [
    "--rounds", 6, "-K", 24, "--batch", 8, "--step-size", 0.05, "--set", "engine.chunk=16",
    "--set", "engine.threads=1", "--set", "model.options={widths=[12]}", "--set", "probe.pairs=4",
]  # fmt: skip


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    from baffle.cli.main import main

    folder = tmp_path_factory.mktemp("runs") / "one"
    with pytest.raises(SystemExit) as end:
        main(["run", *map(str, FAST), "--out", str(folder)])
    assert end.value.code == 0
    return folder


@pytest.fixture(autouse=True)
def _quiet(run_dir, capsys):
    capsys.readouterr()


def test_run_prints_the_documented_object(tmp_path, capsys):
    code, out, err = call(capsys, "run", *FAST, "--json", "--out", tmp_path / "r")
    value = last_json(out)
    assert code == 0
    assert len(out.splitlines()) == 1
    assert "accuracy" in err
    assert set(value) >= {
        "test_accuracy", "seconds", "rounds", "probes", "example_evaluations", "bytes_up",
        "bytes_down", "digest", "run_dir",
    }  # fmt: skip
    # 6 rounds, 5 of 10 clients, K + 4 probes of 8 examples, 56 bytes and 2 a direction.
    assert value["probes"] == 6 * 5 * 28
    assert value["example_evaluations"] == 6 * 5 * 28 * 8
    assert value["bytes_up"] == 6 * 5 * (56 + 48)
    assert value["bytes_up_per_report"] <= 2 * 24 + 64


def test_the_run_folder_is_complete(run_dir):
    names = {p.name for p in run_dir.iterdir()}
    assert names >= {
        "config.toml", "ledger.db", "model.safetensors", "metrics.jsonl", "metrics.csv",
        "curves.png", "snapshots",
    }  # fmt: skip


def test_verify_replay_evaluate_show(run_dir, tmp_path, capsys):
    code, out, _ = call(capsys, "verify", run_dir, "--json")
    assert (code, last_json(out)["replayed"]) == (0, 6)
    code, out, _ = call(capsys, "replay", run_dir, "--out", tmp_path / "w.safetensors", "--json")
    replayed = last_json(out)
    code, out, _ = call(capsys, "evaluate", run_dir, "--json")
    evaluated = last_json(out)
    code, out, _ = call(capsys, "show", run_dir, "--json")
    shown = last_json(out)["runs"][0]
    assert replayed["digest"] == evaluated["digest"] == shown["digest"]
    assert evaluated["test_accuracy"] == shown["test_accuracy"]
    with Ledger.open(run_dir) as ledger:
        from baffle.ledger.replay import replay

        state = replay(ledger).state.numpy()
    shipped, weights = (
        load_file(run_dir / "model.safetensors"),
        load_file(tmp_path / "w.safetensors"),
    )
    for name, averaged in state["ema"].items():
        assert np.array_equal(shipped[name], averaged)
        assert np.array_equal(weights[name], state["weights"][name])
    code, out, _ = call(capsys, "replay", run_dir, "--round", 2)
    assert out.startswith("round 2: digest ")
    code, out, _ = call(capsys, "show", run_dir, run_dir)
    assert code == 0


def test_resume_of_a_finished_run_changes_nothing(run_dir, capsys):
    code, out, _ = call(capsys, "resume", run_dir, "--json")
    assert code == 0
    assert last_json(out)["rounds"] == 6


@pytest.mark.parametrize("column", ["plan", "outcome", "participants", "digest", "link"])
def test_one_flipped_byte_is_named_with_its_round(tmp_path, capsys, column):
    call(capsys, "run", *FAST, "--out", tmp_path / "r")
    database = sqlite3.connect(tmp_path / "r" / "ledger.db")
    (table,) = [
        t
        for (t,) in database.execute("select name from sqlite_master where type = 'table'")
        if "plan" in [c[1] for c in database.execute(f"pragma table_info({t})")]
    ]
    (value,) = database.execute(f"select {column} from {table} where round = 4").fetchone()
    changed = bytes([value[0] ^ 1]) + value[1:] if value else b"\0"
    database.execute(f"update {table} set {column} = ? where round = 4", (changed,))
    database.commit()
    database.close()
    code, out, err = call(capsys, "verify", tmp_path / "r", "--json")
    assert code == 1
    assert out == ""
    assert "round 4" in err
    assert "Traceback" not in err
