"""A fleet: server and client of a real federation, without sockets and clock.

Everything between the protocol's values and a transport: who is there, what each client lacks, when
a round ends, what is refused and counted. Drivers carry the bytes and tell the time.
"""

from __future__ import annotations

from baffle.fleet.asking import Outgoing
from baffle.fleet.client import Backing, FleetClient, Identity
from baffle.fleet.coordinator import Coordinator
from baffle.fleet.demands import Demands
from baffle.fleet.downlink import Costs, Downlink
from baffle.fleet.guard import Guard, Keys
from baffle.fleet.members import Member, Members
from baffle.fleet.pace import Pace
from baffle.fleet.replica import Replica
from baffle.fleet.secure import SecureCoordinator, coordinator_of
from baffle.fleet.store import FolderStore, Kept, Store

__all__ = [
    "Backing",
    "Coordinator",
    "Costs",
    "Demands",
    "Downlink",
    "FleetClient",
    "FolderStore",
    "Guard",
    "Identity",
    "Kept",
    "Keys",
    "Member",
    "Members",
    "Outgoing",
    "Pace",
    "Replica",
    "SecureCoordinator",
    "Store",
    "coordinator_of",
]
