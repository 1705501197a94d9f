"""Rows of `throughput` on a tiny module."""

import json

import pytest
import torch
from torch import nn

from baffle.bench.options import QUICK, Options
from baffle.bench.rows import training_steps
from baffle.bench.sides import BASE, SIDES
from baffle.bench.throughput import throughput
from baffle.errors import ConfigError
from tests.bench.tiny import subject

OPTIONS = Options(directions=2, repeats=3, threads=1, budget=QUICK)


@pytest.fixture(scope="module")
def row():
    (found,) = throughput([(subject(), 3)], OPTIONS)
    return found


def test_a_row_holds_what_is_documented(row):
    assert set(row) >= {
        "model", "batch", "directions", "device", "threads", "chunk", "route", "ratio", "spread",
        "inference_examples_per_second", "training_steps", "settings", "timed_rows", "failed",
    }  # fmt: skip
    assert (row["model"], row["batch"], row["directions"]) == ("tiny", 3, 2)
    assert (row["threads"], row["repeats"]) == (1, 3)
    assert row["route"] == row["settings"]["ours"]["route"]
    assert row["route"] in ("rank_one", "point_by_point")
    assert set(row["ratio"]) == set(SIDES) - {BASE}
    assert set(row["spread"]) == set(SIDES)
    assert row["failed"] == {}


def test_ratios_are_positive_and_it_is_json(row):
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert all(value > 0 for value in row["ratio"].values())
    assert row["inference_examples_per_second"] > 0
    assert row["timed_rows"]["inference"] == row["timed_rows"]["ours"] == 6


def test_training_steps_follow_from_the_ratios(row):
    ratio = row["ratio"]
    expected = 2 * ratio["backward_at_batch"] / ratio["ours"]
    assert row["training_steps"]["batch"] == pytest.approx(expected)
    assert training_steps({"ours": 5.0}, 10) == dict.fromkeys(
        ("best_chunk", "batch", "checkpointed")
    )


class Branches(nn.Module):
    """Reads a value that differs by point, which vmap cannot map."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        out = self.layer(x)
        return out if float(out.detach().sum()) > 0 else -out


def test_a_usual_way_that_fails_is_named_and_the_others_are_measured():
    (row,) = throughput([(subject(Branches), 3)], OPTIONS)
    assert row["ratio"]["vmap"] is None
    assert "RuntimeError" in row["failed"]["vmap"]
    # One point a pass is right for it, and may be what was fastest; several points are not.
    assert row["route"] not in ("", "vmapped")
    assert row["route"] != "rank_one" or row["settings"]["ours"]["chunk"] == 1
    assert row["ratio"]["backward"] > 0


def test_a_module_that_fails_at_inference_raises():
    class Fails(Branches):
        def forward(self, x):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        list(throughput([(subject(Fails), 3)], OPTIONS))


@pytest.mark.parametrize(
    "wrong",
    [{"directions": 0}, {"repeats": 0}, {"threads": -1}, {"device": "tpu"}],
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=f"--{next(iter(wrong))}"):
        Options(**wrong)


def test_cuda_without_a_device_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device"):
        Options(device="cuda")


@pytest.mark.gpu
def test_cuda_measures_the_same_row():
    options = Options(directions=2, repeats=3, device="cuda", budget=QUICK)
    (row,) = throughput([(subject(), 3)], options)
    assert row["device"] == "cuda"
    assert row["ratio"]["ours"] > 0
