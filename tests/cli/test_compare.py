"""`baffle compare`: what it prints, what it leaves, and that a killed one goes on."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from baffle.drivers.compare.store import RESULTS, read_lines
from tests.cli.run_cli import call, last_json

SMALL = [
    "--set", "model.options={widths=[8]}", "--set", "probe.num_directions=16",
    "--set", "probe.batch=8", "--set", "baffle:probe.pairs=4", "--set", "federation.clients=3",
    "--budget", "60k", "--keys", "2", "--tune", "3",
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--equal", "luck"], "--equal must be one of rounds, evaluations"),
        (["--budget", "lots"], "--budget must be a positive number of example evaluations"),
        (["-a", "baffel"], "algorithm must be one of baffle, "),
        (["-a", "baffle,baffle"], "one name"),
        (["-a", "baffle", "--set", "es:probe.batch=3"], "settings of es, which is not compared"),
        (["-a", "baffle", "--set", "probe.bacth=3"], "probe.bacth is no setting"),
        (["-a", "a=baffle,b=baffle", "--set", "a:model.name=linear"], "different model"),
        (["--share", "2"], "--share must lie above 0"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(tmp_path, capsys, given, told):
    code, out, err = call(capsys, "compare", *given, "--out", tmp_path / "c")
    assert (code, out) == (2, "")
    assert told in " ".join(err.split())
    assert not (tmp_path / "c").exists()


@pytest.mark.slow
def test_a_comparison_prints_one_object_and_leaves_table_and_figure(tmp_path, capsys):
    args = ["compare", "-a", "baffle,wide=baffle,fedavg", *SMALL, "--json", "--out", tmp_path / "c"]
    args += ["--set", "wide:probe.num_directions=32", "--least-rounds", "0"]
    code, out, err = call(capsys, *args)
    value = last_json(out)
    assert (code, len(out.splitlines()), value["complete"]) == (0, 1, True)
    rows = {row["name"]: row for row in value["rows"]}
    assert set(rows) == {"baffle", "wide", "fedavg"}
    assert all(0.95 * 60e3 < row["costs"]["evaluations"] <= 60e3 for row in rows.values())
    assert rows["fedavg"]["costs"]["gradients"] == pytest.approx(
        rows["fedavg"]["costs"]["evaluations"] / 3
    )
    assert rows["baffle"]["costs"]["gradients"] == 0
    assert rows["fedavg"]["accuracy"]["median"] > 0.5
    assert all(row["peak"] > row["idle"] > 50e6 for row in rows.values())
    assert rows["wide"]["costs"]["rounds"] < rows["baffle"]["costs"]["rounds"]
    assert {"table.md", "curves.png", "results.jsonl", "comparison.json"} <= {
        p.name for p in (tmp_path / "c").iterdir()
    }
    assert "By forward passes alone" in err
    stored = (tmp_path / "c" / RESULTS).read_bytes()
    code, out, _ = call(capsys, *args)  # nothing is left to do
    assert (code, last_json(out)) == (0, value)
    assert (tmp_path / "c" / RESULTS).read_bytes() == stored


@pytest.mark.slow
def test_a_killed_comparison_goes_on_and_comes_to_the_same(tmp_path):
    def command(folder):
        given = ["-a", "baffle,baffle-paper", *SMALL, "--no-memory", "--out", str(folder)]
        return [sys.executable, "-m", "baffle.cli", "compare", *given, "--json"]

    one, two = tmp_path / "one", tmp_path / "two"
    engine = ["--set", "engine.chunk=16", "--set", "engine.clients=3"]
    subprocess.run([*command(one), *engine], check=True, capture_output=True)
    started = subprocess.Popen(
        [*command(two), *engine], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while len(read_lines(two)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    before = read_lines(two)
    assert 4 <= len(before) < len(read_lines(one))
    subprocess.run([*command(two), *engine], check=True, capture_output=True)
    after = read_lines(two)
    assert {cell: after[cell] for cell in before} == before
    for cell, line in read_lines(one).items():
        assert without_seconds(after[cell]) == without_seconds(line)


def without_seconds(value):
    if isinstance(value, dict):
        return {k: without_seconds(v) for k, v in value.items() if k != "seconds"}
    if isinstance(value, list):
        return [without_seconds(v) for v in value]
    return value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("equal", "budget"),
    [("rounds", "20"), ("bytes", "40kB"), ("seconds", "0.5s"), ("memory", "9GB")],
)
def test_each_resource_can_be_held_equal(tmp_path, capsys, equal, budget):
    small = [text for text in SMALL if text not in ("--budget", "60k")]
    args = ["-a", "baffle,fedsgd", "--equal", equal, "--budget", budget, "--keys", 1, "--tune", 1]
    args += ["--no-memory"] if equal != "memory" else ["--length", "60k"]
    code, out, _ = call(capsys, "compare", *small, *args, "--json", "--out", tmp_path / "c")
    value = last_json(out)
    assert code == 0
    for row in value["rows"]:
        used = row["costs"] | {"memory": row["peak"]}
        used["bytes"] = used["bytes_up"] + used["bytes_down"]
        assert used[equal] <= value["budget"]
    json.dumps(value)
