"""Where the time goes, on a tiny module."""

import json

import pytest

from baffle.bench.options import QUICK, Options
from baffle.bench.profile import OTHER, PARTS, PYTHON, profiled
from baffle.bench.throughput import throughput
from baffle.cli.bench_tables import profile_table
from baffle.errors import ConfigError
from tests.bench.tiny import subject

OPTIONS = Options(directions=3, repeats=1, threads=1, budget=QUICK)


def test_parts_add_up_and_only_ours_has_corrections():
    (row,) = profiled([(subject(), 3)], OPTIONS)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    for side, parts in row["milliseconds"].items():
        assert set(parts) == {*PARTS, OTHER, PYTHON}
        assert sum(parts.values()) == pytest.approx(row["total"][side])
    plain, ours = row["milliseconds"]["inference"], row["milliseconds"]["ours"]
    assert plain["products"] > 0 < ours["products"]
    assert plain["drawing"] == plain["correction"] == 0.0
    assert ours["drawing"] > 0 < ours["correction"]
    profile_table([row])


def test_bfloat16_says_how_its_losses_go_with_the_others():
    options = Options(directions=8, repeats=1, threads=1, precision="bfloat16", budget=QUICK)
    (row,) = throughput([(subject(), 3)], options)
    assert row["precision"] == "bfloat16"
    assert 1e-7 < row["losses"]["largest_difference"] < 0.1
    (plain,) = throughput([(subject(), 3)], OPTIONS)
    assert plain["losses"]["correlation"] > 0.999
    assert plain["losses"]["largest_difference"] < 1e-5


def test_an_unknown_precision_is_refused():
    options = Options(directions=2, repeats=1, threads=1, precision="int3", budget=QUICK)
    with pytest.raises(ConfigError, match="precision must be one of"):
        list(throughput([(subject(), 3)], options))
