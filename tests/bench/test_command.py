"""`baffle bench` as a shell sees it."""

import json

import pytest

from baffle.bench import memory as memory_file
from baffle.bench import rebuild as rebuild_file
from baffle.bench import simulate as simulate_file
from baffle.bench import throughput as throughput_file
from tests.cli.run_cli import call, last_json

ROW = {
    "model": "transformer_1b", "batch": 128, "directions": 32, "threads": 1, "chunk": 8,
    "route": "rank_one",
    "device": "cpu", "inference_examples_per_second": 18440.0,
    "ratio": {"ours": 0.96, "ours_shared": 0.98, "randn_loop": 0.0078, "vmap": None,
              "backward": 0.32, "backward_at_batch": 0.037, "checkpointed": 0.25},
    "spread": {"inference": 0.01, "ours": 0.015, "backward": 0.03},
    "training_steps": {"best_chunk": 15.3, "batch": 1.77, "checkpointed": 11.6},
    "settings": {}, "timed_rows": {}, "repeats": 9, "failed": {"vmap": "RuntimeError: no rule"},
}  # fmt: skip
MEMORY_ROW = {
    "model": "mobilenet_v2", "batch": 128, "directions": 32, "threads": 2, "repeats": 3,
    "spread_mib": {},
    "peak_mib": {"imports": 219.8, "imports_ours": 222.1, "inference": 307.8, "ours": 1316.2,
                 "ours_chunk_1": 311.0, "backward": 4168.9,
                 "checkpointed": 1461.2},
    "ratio": {"ours": 1.027, "ours_chunk_1": 1.01, "backward": 1.52, "checkpointed": 1.5},
}  # fmt: skip
REBUILD_ROW = {
    "kind": "rank_one", "bits": 16, "library": "torch", "device": "cpu", "weights": 3543552,
    "directions": 4096, "threads": 1, "seconds": 0.00412, "gaussian_loop_seconds": 56.3,
    "gaussian_loop_directions": 32, "ratio": 13665.0, "temporary_mib": 12.3, "same_bits": True,
    "repeats": 9,
}  # fmt: skip
SIMULATED_ROW = {
    "model": "lenet5", "clients": 10_000, "directions": 512, "batch": 32, "data": "random images",
    "seconds_one_by_one": None, "seconds_together": 12.34, "ratio": None,
    "clients_a_second": 810.4, "peak_mib": 1234.0,
}  # fmt: skip


@pytest.fixture
def canned(monkeypatch):
    monkeypatch.setattr(simulate_file, "simulate", lambda *_: iter([SIMULATED_ROW]))
    monkeypatch.setattr(rebuild_file, "rebuild", lambda *_: iter([REBUILD_ROW]))
    monkeypatch.setattr(throughput_file, "throughput", lambda *_: iter([ROW]))
    monkeypatch.setattr(memory_file, "memory", lambda *_: iter([MEMORY_ROW]))


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize(
    ("command", "figures"),
    [
        (
            "throughput",
            ["transformer_1b", "18.4 k", "0.96", "0.0078", "0.32", "1.8", "no rule", "1.5 %"],
        ),
        ("rebuild", ["rank_one", "4,096", "torch", "0.00412", "56.3", "12.3", "3.54 M", "same"]),
        ("simulate", ["lenet5", "10,000", "512", "12.3", "–", "810", "1,234"]),
        ("memory", ["mobilenet_v2", "220", "308", "311 ×1.01", "4169 ×1.52"]),
    ],
)
def test_tables_hold_every_figure_in_eighty_columns(
    canned, capsys, monkeypatch, command, figures, columns
):
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = call(capsys, "bench", command)
    assert code == 0
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= int(columns)
    for figure in figures:
        assert figure in out


@pytest.mark.parametrize("command", ["throughput", "rebuild", "memory", "simulate"])
def test_json_is_one_line_with_the_machine_and_goes_to_a_file(canned, capsys, tmp_path, command):
    file = tmp_path / "figures.json"
    code, out, err = call(capsys, "bench", command, "--json", "--output", file)
    value = last_json(out)
    assert code == 0
    assert len(out.splitlines()) == 1
    assert value["rows"][0]["directions"] in (32, 512, 4096)
    assert value["complete"] is True
    assert {"cpu", "cores", "torch", "load"} <= set(value["machine"])
    assert json.loads(file.read_text()) == value
    assert len(err.splitlines()) > 2  # the table


def interrupted(*_):
    yield ROW
    raise KeyboardInterrupt


def test_an_interrupt_shows_what_was_measured(capsys, monkeypatch):
    monkeypatch.setattr(throughput_file, "throughput", interrupted)
    code, out, err = call(capsys, "bench", "throughput", "--json")
    assert code == 130
    assert last_json(out)["rows"] == [ROW]
    assert last_json(out)["complete"] is False
    assert "interrupted after 1 of 15 rows" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["throughput", "--model", "vgg"], "--model must be one of mlp"),
        (["throughput", "--device", "tpu"], "--device must be one of cpu, cuda"),
        (["throughput", "--batch", 0], "--batch must be at least 1"),
        (["throughput", "-K", 0], "--directions must be at least 1"),
        (["throughput", "--repeats", 0], "--repeats must be at least 1"),
        (["throughput", "--output", "/nowhere/x.json"], "--output /nowhere/x.json"),
        (["rebuild", "--device", "tpu"], "--device must be one of cpu, cuda"),
        (["simulate", "--model", "vgg"], "--model must be one of mlp"),
        (["simulate", "--clients", 0], "--clients must be at least 1"),
        (["memory", "--model", "vgg"], "--model must be one of mlp"),
        (["memory", "--threads", -1], "--threads must be at least 0"),
    ],
)
def test_wrong_options_are_one_sentence_and_exit_code_two(canned, capsys, wrong, message):
    code, out, err = call(capsys, "bench", *wrong)
    assert code == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_quick_measures_real_modules(capsys):
    code, out, _ = call(
        capsys, "bench", "throughput", "--quick", "--model", "lenet5", "--threads", 1, "--json"
    )
    (row,) = last_json(out)["rows"]
    assert code == 0
    assert (row["model"], row["batch"], row["directions"]) == ("lenet5", 16, 4)
    assert all(value > 0 for value in row["ratio"].values())


def test_quick_rebuild_measures_every_kind(capsys):
    code, out, _ = call(capsys, "bench", "rebuild", "--quick", "--json")
    rows = last_json(out)["rows"]
    assert code == 0
    assert {row["kind"] for row in rows} >= {"rank_one", "rademacher", "gaussian"}
    assert all(row["same_bits"] and row["ratio"] > 0 for row in rows)


@pytest.mark.slow
def test_quick_simulate_measures_a_round_both_ways(capsys):
    code, out, _ = call(capsys, "bench", "simulate", "--quick", "-K", 8, "--json")
    (row,) = last_json(out)["rows"]
    assert code == 0
    assert (row["model"], row["clients"], row["directions"]) == ("mlp", 10, 8)
    assert row["ratio"] > 0


@pytest.mark.slow
def test_quick_memory_measures_real_processes(capsys):
    code, out, _ = call(capsys, "bench", "memory", "--quick", "--model", "lenet5", "--json")
    assert code == 0
    assert last_json(out)["rows"][0]["ratio"]["ours"] > 0.9
