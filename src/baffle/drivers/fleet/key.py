"""The key that a fleet's server signs its asks with: a PEM file, made on first use."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from baffle.errors import ConfigError
from baffle.ledger.durable import write_new


def server_key(path: Path, make: bool = True) -> Ed25519PrivateKey:
    """Return the server's private key; `openssl genpkey -algorithm ed25519` makes one as well.

    Args:
        path: the file.
        make: make one, for its owner's eyes only, if it is missing. Not for a run that has begun:
            its clients answer the key that it began with.

    Raises:
        ConfigError: the file is missing and not to be made, holds no Ed25519 private key, or
            cannot be read or written.
    """
    try:
        if make and not path.exists():
            made = Ed25519PrivateKey.generate()
            pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            with suppress(FileExistsError):
                write_new(path, pem)
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as problem:
        raise ConfigError(f"{path}: expected a private key in PEM form, got {problem}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: expected an Ed25519 key, got {type(key).__name__}")
    return key
