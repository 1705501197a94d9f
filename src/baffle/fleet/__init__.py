"""A fleet: server and client of a real federation, without sockets and clock.

Everything between the protocol's values and a transport: who is there, what each client lacks, when
a round ends, what is refused and counted. Drivers carry the bytes and tell the time.

The names load what they need when they are first used: a client has no use for the server's side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from baffle.lazily import lazily

if TYPE_CHECKING:
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

_PLACES = {
    "Backing": "baffle.fleet.client",
    "Coordinator": "baffle.fleet.coordinator",
    "Costs": "baffle.fleet.downlink",
    "Demands": "baffle.fleet.demands",
    "Downlink": "baffle.fleet.downlink",
    "FleetClient": "baffle.fleet.client",
    "FolderStore": "baffle.fleet.store",
    "Guard": "baffle.fleet.guard",
    "Identity": "baffle.fleet.client",
    "Kept": "baffle.fleet.store",
    "Keys": "baffle.fleet.guard",
    "Member": "baffle.fleet.members",
    "Members": "baffle.fleet.members",
    "Outgoing": "baffle.fleet.asking",
    "Pace": "baffle.fleet.pace",
    "Replica": "baffle.fleet.replica",
    "SecureCoordinator": "baffle.fleet.secure",
    "Store": "baffle.fleet.store",
    "coordinator_of": "baffle.fleet.secure",
}


__getattr__ = lazily(__name__, _PLACES)

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
