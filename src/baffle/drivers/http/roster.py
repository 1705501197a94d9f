"""What a gateway keeps on disk, in `gateway/` of the run folder.

    gateway.json     its salt and its server's public key; written once
    seen.json        when devices last spoke; see `seen`
    devices.jsonl    a line for each enrolment: the device's key, the token's key, when
    revoked/<key>    a device that is turned away; see `revoked`
    tokens/<key>     a token that was given out, named by its public key: when it ends

Each is written whole or not at all. `gateway-token` writes tokens and the gateway only reads them;
lines are written by the gateway alone, and by nobody else is an unfinished one taken away: all may
run at once. A token is used when a line names it.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from baffle.drivers.http.devices import Issued
from baffle.drivers.http.enrolment import SALT_BYTES, SECRET_BYTES, Enrolment, Token, gateway_of
from baffle.drivers.http.revoked import Revoked
from baffle.drivers.http.signed import KEY_BYTES
from baffle.errors import ConfigError, LedgerError
from baffle.ledger import durable

FOLDER, ABOUT, DEVICES = "gateway", "gateway.json", "devices.jsonl"
TOKENS, REVOKED = "tokens", "revoked"
FORMAT = 1


@dataclass(frozen=True)
class About:
    """Who a gateway is: its salt, and the public key that its server signs asks with."""

    salt: bytes
    server: bytes

    @property
    def name(self) -> bytes:
        """The gateway's, 16 bytes."""
        return gateway_of(self.salt, self.server)


@dataclass(frozen=True)
class Row:
    """An enrolment: the device's key, the token's, and when it was, seconds since 1970."""

    device: bytes
    token: bytes
    at: int


class Roster:
    """A gateway's files.

    Args:
        run: the run folder; made if missing.
        server: public key that its asks are signed with.

    Raises:
        ConfigError: the folder's gateway has another server's key.
        LedgerError: a file is damaged.
    """

    def __init__(self, run: Path, server: bytes) -> None:
        self.folder = run / FOLDER
        durable.make_folder(self.folder / TOKENS, mode=0o700)
        self.about = self._about(server)
        self.revoked = Revoked(self.folder / REVOKED)

    def _about(self, server: bytes) -> About:
        path = self.folder / ABOUT
        fresh = {
            "format": FORMAT,
            "salt": secrets.token_hex(SALT_BYTES),
            "server_key": server.hex(),
        }
        with suppress(FileExistsError):
            durable.write_new(path, json.dumps(fresh).encode(), mode=0o644)
        found = about_of(path)
        if found.server != server:
            raise ConfigError(
                f"{path}: this gateway's asks are signed with the key {found.server.hex()[:16]}…, "
                f"and the server's is {server.hex()[:16]}…: its devices would refuse them all"
            )
        return found

    # --- devices

    def append(self, enrolment: Enrolment, today: float) -> None:
        """Note an enrolment down, durably.

        Raises:
            OSError: the disk would not take it; nothing is there of it.
        """
        row = {
            "device": enrolment.device.hex(),
            "token": enrolment.token.hex(),
            "at": round(today),
        }
        path = self.folder / DEVICES
        fresh = not path.exists()
        with path.open("ab", buffering=0) as file:
            whole = file.tell()
            try:
                _write_all(file, json.dumps(row).encode() + b"\n")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(whole)
                raise
        if fresh:
            durable.sync_folder(self.folder)

    @cached_property
    def known(self) -> list[tuple[bytes, bytes]]:
        """(device, token) of each line; one that was cut short was never acknowledged.

        Only a gateway that starts looks at it, since it takes an unfinished line away.
        """
        path = self.folder / DEVICES
        data = _bytes(path)
        whole = _acknowledged(data)
        if whole < len(data):
            os.truncate(path, whole)
        return [(row.device, row.token) for row in _rows(path, data[:whole])]

    # --- tokens

    def issue(self, until: float | None) -> Token:
        """Return a new token, which is known from now on.

        Args:
            until: when it ends, in seconds since 1970; None if it does not.
        """
        token = Token(self.about.name, secrets.token_bytes(SECRET_BYTES))
        durable.write_new(self._token(token.public), json.dumps({"until": until}).encode())
        return token

    def issued(self, public: bytes) -> Issued | None:
        """Return a token that was given out, None if there is none of that key."""
        try:
            until = json.loads(self._token(public).read_bytes())["until"]
            return Issued(None if until is None else float(until))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise LedgerError(f"{self._token(public)}: expected when a token ends") from None

    def _token(self, public: bytes) -> Path:
        return self.folder / TOKENS / public.hex()


def about_of(path: Path) -> About:
    """Return who a gateway is, of its file.

    Raises:
        LedgerError: the file is damaged.
    """
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']}")
        return About(_hex(found["salt"], SALT_BYTES), _hex(found["server_key"], KEY_BYTES))
    except (ValueError, KeyError, TypeError) as problem:
        raise LedgerError(f"{path}: expected a gateway of format {FORMAT}, got {problem}") from None


def _acknowledged(data: bytes) -> int:
    """Return how many bytes of a file of lines may have been acknowledged.

    A power cut leaves the last line without its end, or with zeros where bytes did not reach the
    disk in time; JSON has none of its own.
    """
    whole = data.rfind(b"\n") + 1
    last = data.rfind(b"\n", 0, max(0, whole - 1)) + 1
    return last if b"\0" in data[last:whole] else whole


def rows_of(path: Path) -> list[Row]:
    """Return a roster's lines, but for one that is unfinished; reads, and changes nothing.

    Raises:
        LedgerError: a line is damaged; names it.
    """
    data = _bytes(path)
    return _rows(path, data[: _acknowledged(data)])


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _rows(path: Path, data: bytes) -> list[Row]:
    return [_row(path, number, line) for number, line in enumerate(data.splitlines(), start=1)]


def _row(path: Path, number: int, line: bytes) -> Row:
    try:
        found: Any = json.loads(line)
        keys = _hex(found["device"], KEY_BYTES), _hex(found["token"], KEY_BYTES)
        return Row(*keys, int(found["at"]))
    except (ValueError, KeyError, TypeError) as problem:
        raise LedgerError(f"{path}, line {number}: expected a device, got {problem}") from None


def _hex(text: str, size: int) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != size:
        raise ValueError(f"{len(found)} bytes in place of {size}")
    return found


def _write_all(file: Any, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
