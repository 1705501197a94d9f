"""The key that a fleet's server signs its asks with: a PEM file, made on first use."""

from __future__ import annotations

import os
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


def server_key(path: Path) -> Ed25519PrivateKey:
    """Return the server's private key; `openssl genpkey -algorithm ed25519` makes one as well.

    Args:
        path: the file; made, for its owner's eyes only, if it is missing.

    Raises:
        ConfigError: the file holds no Ed25519 private key, or cannot be read.
    """
    with suppress(FileExistsError):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as fresh:
            made = Ed25519PrivateKey.generate()
            fresh.write(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            fresh.flush()
            os.fsync(fresh.fileno())
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as problem:
        raise ConfigError(f"{path}: expected a private key in PEM form, got {problem}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: expected an Ed25519 key, got {type(key).__name__}")
    return key
