"""The hash chain: the link of a round covers everything stored up to that round.

A link is unkeyed. It finds accidents and careless edits by itself; against somebody who rewrites
the whole file, a link that was noted elsewhere is needed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from baffle.errors import LedgerError

HASH_SIZE = 32
MAX_ROUND = 2**63 - 1  # SQLite's integers

GENESIS_TAG = b"baffle ledger genesis 1\n"
ROW_TAG = b"baffle ledger row 1\n"
SNAPSHOT_TAG = b"baffle ledger snapshot 1\n"
META_TAG = b"baffle ledger meta 1\n"


@dataclass(frozen=True, slots=True)
class Row:
    """What one closed round leaves behind. The ledger looks into none of the bytes.

    Args:
        round: 1 for the first round.
        plan: what the clients were asked, encoded.
        outcome: the aggregated integers, encoded.
        participants: who answered, encoded.
        digest: `TrainState.digest()` after the round, 32 bytes.

    Raises:
        LedgerError: a field has the wrong type, size or range.

    Example:
        >>> Row(1, b"plan", b"sums", b"who", bytes(32)).round
        1
    """

    round: int
    plan: bytes
    outcome: bytes
    participants: bytes
    digest: bytes

    def __post_init__(self) -> None:
        if not 1 <= self.round <= MAX_ROUND:
            raise LedgerError(f"expected a round from 1 to 2^63 - 1, got {self.round}")
        for name in ("plan", "outcome", "participants", "digest"):
            if not isinstance(getattr(self, name), bytes):
                got = type(getattr(self, name)).__name__
                raise LedgerError(f"expected the {name} of round {self.round} as bytes, got {got}")
        if len(self.digest) != HASH_SIZE:
            raise LedgerError(
                f"expected a digest of {HASH_SIZE} bytes in round {self.round}, "
                f"got {len(self.digest)}"
            )


def number(value: int) -> bytes:
    """Return a count or round as 8 little-endian bytes.

    Example:
        >>> number(258).hex()
        '0201000000000000'
    """
    return value.to_bytes(8, "little")


def fields(*values: bytes) -> bytes:
    """Return the values, each behind its length in 8 little-endian bytes.

    Example:
        >>> fields(b"ab", b"").hex()
        '020000000000000061620000000000000000'
    """
    return b"".join(number(len(value)) + value for value in values)


def genesis_link(genesis: bytes) -> bytes:
    """Return link 0, 32 bytes.

    Args:
        genesis: what fixes the run before its first round, encoded.

    Example:
        >>> genesis_link(b"run").hex()[:8]
        'b15086bd'
    """
    return hashlib.sha256(GENESIS_TAG + genesis).digest()


def row_link(previous: bytes, row: Row) -> bytes:
    """Return the link of a row, 32 bytes.

    Args:
        previous: the link of the round before, 32 bytes.
        row: the row to bind to it.

    Example:
        >>> row_link(bytes(32), Row(1, b"p", b"o", b"w", bytes(32))).hex()[:8]
        '2138dfa7'
    """
    content = fields(number(row.round), row.plan, row.outcome, row.participants, row.digest)
    return hashlib.sha256(ROW_TAG + previous + content).digest()


def snapshot_seal(link: bytes, round: int, file: str, sha256: bytes, digest: bytes) -> bytes:
    """Return the seal of a snapshot record, 32 bytes.

    Args:
        link: the link of the snapshot's round, 32 bytes.
        round: number of rounds that made the state.
        file: name of the file, without its folder.
        sha256: SHA-256 of the file, 32 bytes.
        digest: digest of the state, 32 bytes.

    Example:
        >>> snapshot_seal(bytes(32), 0, "00000000.safetensors", bytes(32), bytes(32)).hex()[:8]
        '6dcfe53a'
    """
    content = fields(number(round), file.encode(), sha256, digest)
    return hashlib.sha256(SNAPSHOT_TAG + link + content).digest()


def meta_seal(key: str, value: bytes) -> bytes:
    """Return the seal of a meta row, 32 bytes.

    Example:
        >>> meta_seal("format", number(1)).hex()[:8]
        '79d74065'
    """
    return hashlib.sha256(META_TAG + fields(key.encode(), value)).digest()
