"""What a device keeps of a gateway, in a folder of its own that nobody else may read.

    device.key      its identity, 32 bytes, made on first use
    gateway.json    the gateway that it is enrolled at, and the key that its asks come under
    counter         the first number that no request has, in decimal digits

Counters are taken from blocks: the file says where the next block begins before the first number of
this one is used. A crash loses what is left of a block, and no number is used twice. Should the
file be lost or set back, the gateway says how far it has seen, and the device goes on behind that.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.drivers.http.enrolment import node_of
from baffle.drivers.http.signed import GATEWAY_BYTES, KEY_BYTES, MAX_COUNTER
from baffle.errors import ConfigError, Refused
from baffle.ledger import durable

KEY, GATEWAY, COUNTER = "device.key", "gateway.json", "counter"
BLOCK = 1024
FAR = 2**32  # a gateway may move a device's counter on by so much: 2^32 lies do not use it up


@dataclass(frozen=True)
class Home:
    """Where a device is enrolled.

    Args:
        gateway: its name, 16 bytes.
        server: public key that its asks come under, 32 bytes.
    """

    gateway: bytes
    server: bytes


class Keys:
    """A device's folder.

    Args:
        folder: made if missing.

    Raises:
        ConfigError: a file is there and is not what it ought to be.
    """

    def __init__(self, folder: Path) -> None:
        durable.make_folder(folder, mode=0o700)
        self._folder = folder
        self.key = self._identity()
        self.public = self.key.public_key().public_bytes_raw()
        self.home = self._home()
        self._next = self._left = 0

    @property
    def node(self) -> int:
        """The number of the node that the device is.

        Raises:
            Refused: "device", it is not enrolled.
        """
        if self.home is None:
            raise Refused("device", "this device is not enrolled: it needs a token first")
        return node_of(self.home.gateway, self.public)

    def enrolled(self, home: Home) -> None:
        """Keep where it is enrolled, durably."""
        said = {"gateway": home.gateway.hex(), "server_key": home.server.hex()}
        durable.write(self._folder / GATEWAY, json.dumps(said).encode(), mode=0o600)
        self.home = home

    # --- counters

    def counter(self) -> int:
        """Return the next number, higher than any before.

        Raises:
            OSError: the disk would not take where the next block begins.
        """
        if not self._left:
            self._begin(self._stored())
        self._next, self._left = self._next + 1, self._left - 1
        return self._next - 1

    def beyond(self, seen: int) -> None:
        """Go on behind a number that the gateway has seen.

        Raises:
            Refused: "counter", it lies further ahead than a gateway may move a device on.
        """
        if seen < self._next:
            return
        if seen - self._next > FAR or seen > MAX_COUNTER - BLOCK:
            raise Refused(
                "counter", f"the gateway says it has seen request {seen}, after {self._next}"
            )
        self._begin(max(seen + 1, self._stored()))

    def _begin(self, first: int) -> None:
        durable.write(self._folder / COUNTER, str(first + BLOCK).encode(), mode=0o600)
        self._next, self._left = first, BLOCK

    def _stored(self) -> int:
        """Return where the next block begins; what is damaged the gateway sets right."""
        try:
            found = int((self._folder / COUNTER).read_bytes())
        except (OSError, ValueError):
            return 1
        return found if 0 < found <= MAX_COUNTER - BLOCK else 1

    # --- files

    def _identity(self) -> Ed25519PrivateKey:
        path = self._folder / KEY
        if not path.exists():
            with suppress(FileExistsError):
                durable.write_new(path, secrets.token_bytes(KEY_BYTES))
        found = path.read_bytes()
        if len(found) != KEY_BYTES:
            raise ConfigError(
                f"{path}: expected {KEY_BYTES} bytes, got {len(found)}; delete it to become "
                "another device, which needs a token"
            )
        return Ed25519PrivateKey.from_private_bytes(found)

    def _home(self) -> Home | None:
        path = self._folder / GATEWAY
        try:
            found = json.loads(path.read_bytes())
            home = Home(bytes.fromhex(found["gateway"]), bytes.fromhex(found["server_key"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            home = Home(b"", b"")
        if (len(home.gateway), len(home.server)) != (GATEWAY_BYTES, KEY_BYTES):
            raise ConfigError(f"{path}: expected a gateway and a key; delete it and enrol again")
        return home
