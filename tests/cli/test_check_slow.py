"""`baffle check --in-shape` names what goes the slow way."""

from __future__ import annotations

import json
import textwrap

import pytest

from tests.cli.run_cli import call

CODE = """
import torch
from torch import nn

class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.row = nn.Linear(4, 4), nn.Parameter(torch.ones(4))

    def forward(self, x):
        return torch.hypot(self.layer(x), self.row)

class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        h = self.layer(x)
        return torch.jit.script(torch.relu)(h) if h.sum() > 0 else h * h.mean(0)

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 3)

    def forward(self, numbers):
        return self.table(numbers)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(textwrap.dedent(CODE))
    return path


def checked(capsys, *arguments):
    code, out, _ = call(capsys, "check", *arguments, "--json")
    return code, json.loads(out.strip().splitlines()[-1])


def test_an_operation_without_a_rule_is_named(capsys, file):
    code, value = checked(capsys, f"{file}:Odd", "--in-shape", "4")
    assert code == 0
    assert value["probing"]["route"] == "rank_one"
    assert value["probing"]["slow"] == ["torch.hypot"]
    assert any("torch.hypot has no rule" in f["what"] for f in value["findings"])


def test_a_usual_model_has_nothing_slow(capsys):
    _, value = checked(capsys, "lenet5", "--in-shape", "1,28,28")
    assert value["probing"]["slow"] == []
    assert not any("no rule" in f["what"] for f in value["findings"])


def test_a_model_that_does_not_run_on_numbers_is_no_error(capsys, file):
    code, value = checked(capsys, f"{file}:Words", "--in-shape", "4")
    assert code == 0
    assert value["probing"] is None


def test_without_a_shape_nothing_is_run(capsys, file):
    assert checked(capsys, f"{file}:Odd")[1]["probing"] is None
