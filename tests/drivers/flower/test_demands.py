"""What a node's configuration says of the runs that it takes part in."""

import json

import pytest

from baffle.drivers.fleet.demands import demands_of
from baffle.errors import ConfigError
from baffle.fleet import Demands


def test_nothing_is_wanted_unless_it_is_said():
    assert demands_of({"partition-id": 1}) == Demands()


def test_all_that_can_be_wanted(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"0": "aa" * 32, "12": "bb" * 32}))
    node = {
        "require-secure": True,
        "min-group": 9,
        "min-collusion": 0.1,
        "min-failure-bits": 60,
        "min-noise": 2,
        "max-delta": 1e-6,
        "identities": str(path),
    }
    found = demands_of(node)
    assert (found.secure, found.min_group) == (True, 9)
    assert (found.collusion, found.failure_bits) == (0.1, 60)
    assert (found.noise, found.delta) == (2.0, 1e-6)
    assert found.known(12) == b"\xbb" * 32
    assert found.known(3) is None


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"require-secure": "yes"}, "expected true or false, got 'yes'"),
        ({"min-group": "3"}, "expected a number from 0, got '3'"),
        ({"min-group": True}, "expected a number from 0, got True"),
        ({"min-group": -1}, "expected a number from 0, got -1"),
        ({"min-noise": "much"}, "min-noise: expected a number from 0, got 'much'"),
        ({"max-delta": float("nan")}, "max-delta: expected a number from 0, got nan"),
    ],
)
def test_other_values_are_refused(node, message):
    with pytest.raises(ConfigError, match=message):
        demands_of(node)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "00"}', '{"1": "00"}', '{"1": 5}'])
def test_a_file_that_is_no_table_of_keys_is_refused(tmp_path, text):
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="expected a table of client numbers to keys"):
        demands_of({"identities": str(path)})


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        demands_of({"identities": str(tmp_path / "none.json")})
