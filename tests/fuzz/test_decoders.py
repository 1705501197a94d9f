"""A few thousand hostile inputs to each decoder; `python -m tools.fuzz` fires millions."""

import os

import pytest

from tools.fuzz.attack import attack
from tools.fuzz.registry import TARGETS, code

# Fast runs fire the same inputs; FUZZ_KEY=1 and on gives others.
KEY = int(os.environ.get("FUZZ_KEY", "1000"))


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_bytes(name):
    result = attack(TARGETS[name](), (KEY, code(name), 0), 2000, 60)
    assert not result.failures, "\n".join(result.failures)
    assert result.inputs == result.accepted + result.refused == 2000
    assert result.accepted >= result.honest > 50
    assert result.refused > 300
    assert result.metered == 60
