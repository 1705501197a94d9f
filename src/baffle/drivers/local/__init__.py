"""The local driver: a whole federation in one process."""

from __future__ import annotations

from baffle.drivers.local.answers import OneByOne, Together
from baffle.drivers.local.faults import Faults
from baffle.drivers.local.federation import Federation, Follower, RoundRecord
from baffle.drivers.local.roster import Roster, simulated_secret
from baffle.drivers.local.traffic import Traffic

__all__ = [
    "Faults",
    "Federation",
    "Follower",
    "OneByOne",
    "Roster",
    "RoundRecord",
    "Together",
    "Traffic",
    "simulated_secret",
]
