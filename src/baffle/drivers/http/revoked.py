"""Devices that are turned away: a file each in `gateway/revoked/`, named by the device's key.

`gateway-revoke` writes them and the gateway looks before it answers, so both may run at once. A
file is there durably or not at all; what is in it is for people: when it was written.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

from baffle.ledger import durable

_KEY = re.compile(r"[0-9a-f]{64}")


class Revoked:
    """The folder.

    Args:
        folder: made with the first of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, device: bytes, today: float) -> None:
        """Turn a device away, durably; once more does no harm.

        Args:
            device: its public key.
            today: seconds since 1970.

        Raises:
            OSError: the disk would not take it.
        """
        durable.make_folder(self._folder, mode=0o700)
        with suppress(FileExistsError):
            durable.write_new(self._path(device), json.dumps({"at": round(today)}).encode())

    def has(self, device: bytes) -> bool:
        """Return whether a device is turned away, as the disk says now."""
        return self._path(device).exists()

    def all(self) -> frozenset[bytes]:
        """Return the public keys of all that are turned away."""
        if not self._folder.is_dir():
            return frozenset()
        names = (path.name for path in self._folder.iterdir())
        return frozenset(bytes.fromhex(name) for name in names if _KEY.fullmatch(name))

    def when(self, device: bytes) -> int | None:
        """Return when a device was turned away, seconds since 1970; None if it was not."""
        try:
            return int(json.loads(self._path(device).read_bytes())["at"])
        except FileNotFoundError:
            return None

    def _path(self, device: bytes) -> Path:
        return self._folder / device.hex()
