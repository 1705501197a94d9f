"""Flower's own simulation: clients whose state is in its contexts, whichever process has them."""

import json

import pytest

from tools.fleet.demo import APP, SECURE, app_config, config_of, rows_of, undisturbed
from tools.fleet.simulation import simulate

pytestmark = pytest.mark.flower


def test_digits_are_learned_with_secure_sums_as_in_one_process(tmp_path):
    config = config_of(True)
    assert config["secure"] == SECURE["secure"]
    expected = undisturbed(3, tmp_path / "local", config)
    flat = app_config(3, tmp_path, tmp_path / "run", config) | {"fleet.deadline": 60.0}
    simulate(APP, flat, 3, tmp_path / "home")
    rows = rows_of(tmp_path / "run")
    assert [row["digest"] for row in rows] == expected
    assert [row["reports"] for row in rows] == [3, 3, 3]
    assert rows[-1]["faults"] == {}, json.dumps(rows[-1]["faults"])
