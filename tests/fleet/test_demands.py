"""What an operator wants of a run, and which runs do not give it."""

import dataclasses

import pytest

from baffle.errors import Refused
from baffle.fleet import Demands
from baffle.privacy import PrivacySpec
from baffle.secagg import SecureSpec
from tests.protocol.federation import Federation

CLEAR = Federation().genesis
SECURE = dataclasses.replace(CLEAR, secure=SecureSpec(min_group=5, failure_bits=50))
PRIVATE = dataclasses.replace(SECURE, privacy=PrivacySpec("client", 2.0, 1e-5, 4.0))
BARE = dataclasses.replace(CLEAR, privacy=PrivacySpec("client", 2.0, 1e-5, 4.0))


@pytest.mark.parametrize(
    ("demands", "genesis"),
    [
        ({}, CLEAR),
        ({"secure": True, "min_group": 5, "collusion": 0.05, "failure_bits": 50}, SECURE),
        ({"noise": 2.0, "delta": 1e-5}, PRIVATE),
    ],
)
def test_a_run_that_gives_what_is_wanted_is_taken_part_in(demands, genesis):
    Demands(**demands).require(genesis)


@pytest.mark.parametrize(
    ("demands", "genesis", "said"),
    [
        ({"secure": True}, CLEAR, "go in the clear"),
        ({}, BARE, "go in the clear"),
        ({"min_group": 6}, SECURE, "expected sums of 6 clients or more"),
        ({"collusion": 0.06}, SECURE, "collusion of 0.06 or more, got 0.05"),
        ({"failure_bits": 51}, SECURE, "failure_bits of 51 or more, got 50"),
        ({"failure_bits": 51}, CLEAR, "failure_bits of 51 or more, got 0"),
        ({"noise": 2.1}, PRIVATE, "multiplier 2.1 or more, got 2.0"),
        ({"noise": 0.1}, SECURE, "multiplier 0.1 or more, got 0"),
        ({"delta": 1e-6}, PRIVATE, "δ of at most 1e-06, got 1e-05"),
    ],
)
def test_others_are_refused_with_what_they_lack(demands, genesis, said):
    with pytest.raises(Refused, match=said):
        Demands(**demands).require(genesis)
