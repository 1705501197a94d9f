"""A gateway's devices as its operator sees them: read from its folder, whether it runs or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baffle.drivers.http import seen
from baffle.drivers.http.enrolment import node_of
from baffle.drivers.http.revoked import Revoked
from baffle.drivers.http.roster import ABOUT, DEVICES, FOLDER, REVOKED, about_of, rows_of
from baffle.errors import ConfigError

MEMBERS = "members.json"  # of the run folder
DIGITS = 16  # of a key, as a fingerprint
LEAST = 8  # of them that name a device


@dataclass(frozen=True)
class Listed:
    """A device that was let in.

    Args:
        number: its place among those, from 1.
        key: its public key, 32 bytes.
        node: the number that the gateway's log and its own call it by.
        client: the client number that it was given, None while it has none.
        enrolled: when it was let in, seconds since 1970.
        seen: when it last spoke, to a minute; None if unknown.
        revoked: when it was turned away; None if it was not.
    """

    number: int
    key: bytes
    node: int
    client: int | None
    enrolled: int
    seen: int | None
    revoked: int | None

    @property
    def fingerprint(self) -> str:
        """The first digits of its key."""
        return self.key.hex()[:DIGITS]

    def is_named(self, text: str) -> bool:
        """Return whether a text means it: its number, its node, or its key's first digits."""
        begins = len(text) >= LEAST and self.key.hex().startswith(text.lower())
        return text in (str(self.number), str(self.node)) or begins


def listed(run: Path) -> list[Listed]:
    """Return the devices that were let in, in that order.

    Args:
        run: the run folder.

    Raises:
        ConfigError: no gateway has been there.
        LedgerError: a file is damaged.
    """
    folder = run / FOLDER
    if not (folder / ABOUT).is_file():
        raise ConfigError(f"expected a gateway's run folder, found no {FOLDER}/{ABOUT} in {run}")
    name, revoked = about_of(folder / ABOUT).name, Revoked(folder / REVOKED)
    spoke, clients = seen.read(folder / seen.FILE), _clients(run / MEMBERS)
    found = []
    for number, (key, enrolled) in enumerate(_first(folder / DEVICES), start=1):
        node = node_of(name, key)
        found.append(
            Listed(
                number, key, node, clients.get(node), enrolled, spoke.get(node), revoked.when(key)
            )
        )
    return found


def revoke(run: Path, text: str, today: float) -> Listed:
    """Turn a device away for good; a gateway that runs does so at once.

    Args:
        run: the run folder.
        text: which: its number, its node, or its key's first digits, eight or more.
        today: seconds since 1970.

    Returns:
        the device as it stands now.

    Raises:
        ConfigError: none of that name, or more than one.
        OSError: the disk would not take it.
    """
    (device,) = _named(listed(run), text)
    Revoked(run / FOLDER / REVOKED).add(device.key, today)
    return next(found for found in listed(run) if found.key == device.key)


def _named(devices: Sequence[Listed], text: str) -> list[Listed]:
    found = [device for device in devices if device.is_named(text)]
    if len(found) != 1:
        raise ConfigError(
            f"expected the number of one of {len(devices)} devices, its node, or {LEAST} digits or "
            f"more of its fingerprint, as `baffle gateway-devices` shows them; {text!r} is "
            f"{len(found) or 'none'} of them"
        )
    return found


def _first(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield each device's key and when it was let in first: more tokens make no other device."""
    known = set[bytes]()
    for row in rows_of(path):
        if row.device not in known:
            known.add(row.device)
            yield row.device, row.at


def _clients(path: Path) -> Mapping[int, int]:
    """Return client numbers by the node that each was given to; empty before there are any."""
    try:
        nodes: Any = json.loads(path.read_bytes())["nodes"]
        return {int(node): int(number) for number, node in nodes.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ConfigError(f"{path}: expected the clients of a run, got {problem}") from None
