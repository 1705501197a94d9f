"""Secret random words: a ChaCha20 keystream of a 32-byte seed, with a label for each use.

Nothing here knows of a run key, a round or a direction, so secret draws cannot come from anything
that is public.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from baffle.errors import ConfigError

SEED_BYTES = 32
LABEL_BYTES = 12


def derive_seed(private: bytes, context: bytes) -> bytes:
    """Return the secret 32-byte seed of one answer.

    The context must name everything that the answer depends on: run, round, the bytes of the plan
    and the roster. Two different answers under one seed would carry the same noise, and their
    difference none.

    Args:
        private: 32 bytes from the operating system, known to this client only.
        context: any bytes.

    Example:
        >>> derive_seed(bytes(32), b"round 0") == derive_seed(bytes(32), b"round 1")
        False
    """
    require_seed(private)
    kdf = HKDF(algorithm=SHA256(), length=SEED_BYTES, salt=None, info=b"baffle privacy" + context)
    return kdf.derive(private)


def require_seed(seed: bytes) -> None:
    """Raise ConfigError unless a secret seed has 32 bytes; its content stays out of the message."""
    if len(seed) != SEED_BYTES:
        raise ConfigError(f"a secret seed has {SEED_BYTES} bytes, got {len(seed)}")


class Keystream:
    """Words of one use of one seed, in order.

    Args:
        seed: 32 secret bytes.
        label: at most 12 bytes; uses with different labels have unrelated words.
        block: number of the 64-byte block to begin with, below 2^32.

    Example:
        >>> words = Keystream(bytes(32), b"example").words(3)
        >>> words.dtype, words.shape
        (dtype('uint64'), (3,))
    """

    def __init__(self, seed: bytes, label: bytes, block: int = 0) -> None:
        require_seed(seed)
        if len(label) > LABEL_BYTES:
            raise ConfigError(f"a label has at most {LABEL_BYTES} bytes, got {label!r}")
        nonce = block.to_bytes(4, "little") + label.ljust(LABEL_BYTES, b"\0")
        self._encryptor = Cipher(algorithms.ChaCha20(seed, nonce), mode=None).encryptor()

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return the next `count` words."""
        return np.frombuffer(self._encryptor.update(bytes(8 * count)), dtype="<u8")
