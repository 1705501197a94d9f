"""Who a client is, and whose asks it answers: its secret on disk, its server's public key."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from baffle.errors import ConfigError
from baffle.ledger.durable import make_folder, write_new
from baffle.protocol.exchange.signed import KEY_BYTES, Pin

SECRET = "secret"
SECRET_BYTES = 32


def own_secret(folder: Path) -> bytes:
    """Return the secret of a client's folder, made on first use; nobody else may read it.

    Raises:
        ConfigError: the file is there and is no secret.
    """
    make_folder(folder, mode=0o700)
    path = folder / SECRET
    if not path.exists():
        with suppress(FileExistsError):
            write_new(path, secrets.token_bytes(SECRET_BYTES))
    found = path.read_bytes()
    if len(found) != SECRET_BYTES:
        raise ConfigError(
            f"{path}: expected {SECRET_BYTES} bytes, got {len(found)}; restore it from a copy, or "
            "delete it and join as a new client"
        )
    return found


def pin_of_key(named: str | None, whose: str) -> Pin:
    """Return whose asks a client answers: the named key's, or of each run the first that came.

    Args:
        named: 64 hexadecimal digits, or None.
        whose: for errors.

    Raises:
        ConfigError: it is no public key.
    """
    if named is None:
        return Pin()
    try:
        key = bytes.fromhex(named)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{whose}: expected 64 hexadecimal digits, got {named!r}")
    return Pin(key)
