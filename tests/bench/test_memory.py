"""Peaks of fresh processes."""

import json
import subprocess
import sys

import pytest

from baffle.bench.memory import WAYS, MemoryOptions, ProcessFailed, in_process, memory
from baffle.bench.resident import WAYS as CODE
from baffle.errors import ConfigError

OPTIONS = MemoryOptions(directions=4, repeats=1, threads=1)


def test_every_way_has_its_code():
    assert set(WAYS) == set(CODE)


def test_plain_inference_loads_none_of_the_engine():
    found = in_process("inference", "lenet5", 4, OPTIONS)
    assert found["peak_mib"] > 1
    # drivers.resident says the peak, and imports the standard library alone
    assert set(found["packages"]) == {"bench", "drivers", "errors", "models"}


@pytest.mark.slow
def test_training_by_hand_loads_neither_the_engine_nor_the_compiler():
    code = (
        "import sys, baffle.bench.resident as r; r.WAYS['checkpointed']('lenet5', 2, 1);"
        "print([m for m in sys.modules if m in ('sympy', 'torch._dynamo')"
        " or m.startswith(('baffle.backends', 'baffle.protocol', 'baffle.baselines'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_probes_load_the_engine():
    assert {"backends", "directions"} <= set(in_process("ours", "lenet5", 4, OPTIONS)["packages"])


def test_a_process_that_fails_says_why():
    with pytest.raises(ProcessFailed, match="--model must be one of"):
        in_process("inference", "vgg", 4, OPTIONS)


@pytest.mark.parametrize("wrong", [{"directions": 0}, {"repeats": 0}, {"threads": -1}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=f"--{next(iter(wrong))}"):
        MemoryOptions(**wrong)


@pytest.mark.slow
def test_a_whole_row():
    (row,) = memory([("wrn", 16)], OPTIONS)
    assert json.loads(json.dumps(row)) == row
    assert set(row["peak_mib"]) == set(WAYS)
    peaks = row["peak_mib"]
    assert peaks["imports"] < peaks["inference"] < peaks["backward"]
    assert row["ratio"]["ours_chunk_1"] == peaks["ours_chunk_1"] / peaks["inference"]
