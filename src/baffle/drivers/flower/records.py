"""Byte strings to Flower's records and back, with every length and key checked.

Part 0 is the message proper. Each further part is a chunk in a record of its own: Flower's object
store addresses records by their hash, so a chunk that many nodes get is pushed once.

    RecordDict("0": {"b": part 0, "n": nonce}, "1": {"b": part 1}, …)

A part that is longer than a record may be goes on in the next ones, which say so: {"b": …, "c": 1}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from baffle.errors import DecodeError

if TYPE_CHECKING:
    from flwr.app import RecordDict

BYTES, NONCE, CONTINUED = "b", "n", "c"
# One part is one HTTP request. Flower itself sets no limit (uvicorn has none, protobuf 2 GiB), but
# a proxy in front of it does: nginx refuses bodies above 1 MiB unless told otherwise.
MAX_PART = 960 * 1024
MAX_PARTS = 4096
MAX_TOTAL = 1 << 30
NONCE_BYTES = 16


def split(data: bytes, size: int = MAX_PART) -> list[bytes]:
    """Cut `data` into chunks of at most `size` bytes, in order; no chunk for no data.

    >>> split(b"abcde", 2)
    [b'ab', b'cd', b'e']
    """
    return [data[start : start + size] for start in range(0, len(data), size)]


def to_record(parts: Sequence[bytes], *, nonce: bytes = b"") -> RecordDict:
    """Return the records of a message.

    Args:
        parts: byte strings; together they fill at most MAX_PARTS records of MAX_PART bytes.
        nonce: empty, or NONCE_BYTES random bytes. A message's id in Flower is a hash over content
            and metadata, and whoever can guess it may answer in another node's name. The nonce
            makes it unguessable.

    Raises:
        ValueError: a bound is passed.
    """
    from flwr.app import ConfigRecord, RecordDict

    if len(nonce) not in (0, NONCE_BYTES):
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    pieces = [
        (piece, place > 0)
        for part in parts
        for place, piece in enumerate(split(bytes(part)) or [b""])
    ]
    if not 1 <= len(pieces) <= MAX_PARTS:
        raise ValueError(f"a message has 1 to {MAX_PARTS} records, not {len(pieces)}")
    records = RecordDict()
    for index, (piece, continued) in enumerate(pieces):
        fields: dict[str, Any] = {BYTES: piece}
        fields |= {CONTINUED: 1} if continued else {}
        fields |= {NONCE: nonce} if nonce and index == 0 else {}
        records[str(index)] = ConfigRecord(fields)
    return records


def from_record(
    record: object, *, max_total: int = MAX_TOTAL, max_parts: int = MAX_PARTS
) -> list[bytes]:
    """Return the parts of a received message; a nonce is checked and dropped.

    Args:
        record: what came as a message's content.
        max_total: bytes that all parts may have together.
        max_parts: parts that may come.

    Raises:
        DecodeError: anything but what `to_record` makes.
    """
    from flwr.app import RecordDict

    if not isinstance(record, RecordDict):
        raise DecodeError(f"expected a RecordDict, not {type(record).__name__}")
    if not 1 <= len(record) <= max_parts:
        raise DecodeError(f"expected 1 to {max_parts} records, not {len(record)}")
    pieces = [_piece(record, index) for index in range(len(record))]
    total = sum(len(data) for data, _ in pieces)
    if total > max_total:
        raise DecodeError(f"expected at most {max_total} bytes in all, not {total}")
    return _joined(pieces)


def _joined(pieces: Sequence[tuple[bytes, bool]]) -> list[bytes]:
    """Return parts; only a full record goes on, and it goes on with something."""
    parts: list[list[bytes]] = []
    for data, continued in pieces:
        if not continued:
            parts.append([data])
        elif not parts or len(parts[-1][-1]) < MAX_PART or not data:
            raise DecodeError("a record that goes on from one that does not")
        else:
            parts[-1].append(data)
    return [part[0] if len(part) == 1 else b"".join(part) for part in parts]


def _piece(record: Mapping[str, object], index: int) -> tuple[bytes, bool]:
    """Return (bytes, whether they go on from the record before) of record `index`.

    As the names are counted off, a surplus one means a missing one.
    """
    from flwr.app import ConfigRecord

    fields = record.get(str(index))
    if not isinstance(fields, ConfigRecord):
        raise DecodeError(f"expected a ConfigRecord {index}, not {type(fields).__name__}")
    names = set(fields)
    if names - {CONTINUED if index else NONCE} != {BYTES} or fields.get(CONTINUED, 1) != 1:
        raise DecodeError(f"record {index} has the wrong keys: {_shown(names)}")
    data, nonce = fields[BYTES], fields.get(NONCE, bytes(NONCE_BYTES))
    if not isinstance(data, bytes) or len(data) > MAX_PART:
        raise DecodeError(f"record {index} does not hold up to {MAX_PART} bytes")
    if not isinstance(nonce, bytes) or len(nonce) != NONCE_BYTES:
        raise DecodeError(f"the nonce is not {NONCE_BYTES} bytes")
    return data, CONTINUED in names


def _shown(names: set[str]) -> str:
    """Return hostile names in a bounded form."""
    return ", ".join(repr(name[:20]) for name in sorted(names)[:5]) or "none"
