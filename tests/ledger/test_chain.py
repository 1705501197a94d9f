"""The chain's bytes, spelled out once by hand and pinned."""

from __future__ import annotations

import hashlib

import pytest

from baffle.errors import LedgerError
from baffle.ledger import Row
from baffle.ledger.chain import genesis_link, meta_seal, row_link, snapshot_seal


def test_genesis_link():
    assert genesis_link(b"run") == hashlib.sha256(b"baffle ledger genesis 1\nrun").digest()
    assert genesis_link(b"run").hex() == GENESIS_RUN


def test_row_link_is_the_hash_of_these_bytes():
    row = Row(258, b"p", b"", b"who", bytes(range(32)))
    by_hand = (
        b"baffle ledger row 1\n"
        + bytes(range(32, 64))
        + b"\x08\0\0\0\0\0\0\0" + b"\x02\x01\0\0\0\0\0\0"
        + b"\x01\0\0\0\0\0\0\0" + b"p"
        + b"\0\0\0\0\0\0\0\0"
        + b"\x03\0\0\0\0\0\0\0" + b"who"
        + b"\x20\0\0\0\0\0\0\0" + bytes(range(32))
    )  # fmt: skip
    found = row_link(bytes(range(32, 64)), row)
    assert found == hashlib.sha256(by_hand).digest()
    assert found.hex() == ROW_258


def test_snapshot_seal_is_the_hash_of_these_bytes():
    by_hand = (
        b"baffle ledger snapshot 1\n"
        + bytes(range(32))
        + b"\x08\0\0\0\0\0\0\0" + b"\x64\0\0\0\0\0\0\0"
        + b"\x14\0\0\0\0\0\0\0" + b"00000100.safetensors"
        + b"\x20\0\0\0\0\0\0\0" + b"s" * 32
        + b"\x20\0\0\0\0\0\0\0" + b"d" * 32
    )  # fmt: skip
    found = snapshot_seal(bytes(range(32)), 100, "00000100.safetensors", b"s" * 32, b"d" * 32)
    assert found == hashlib.sha256(by_hand).digest()
    assert found.hex() == SNAPSHOT_100


def test_meta_seal_is_the_hash_of_these_bytes():
    by_hand = b"baffle ledger meta 1\n\x04\0\0\0\0\0\0\0head\x02\0\0\0\0\0\0\0ab"
    assert meta_seal("head", b"ab") == hashlib.sha256(by_hand).digest()
    assert meta_seal("head", b"ab").hex() == META_HEAD


def test_bytes_cannot_move_from_one_field_to_the_next():
    one, other = Row(1, b"ab", b"c", b"", bytes(32)), Row(1, b"a", b"bc", b"", bytes(32))
    assert row_link(bytes(32), one) != row_link(bytes(32), other)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ((0, b"", b"", b"", bytes(32)), "round from 1"),
        ((2**63, b"", b"", b"", bytes(32)), "round from 1"),
        ((1, "plan", b"", b"", bytes(32)), "the plan of round 1 as bytes, got str"),
        ((1, b"", bytearray(), b"", bytes(32)), "got bytearray"),
        ((1, b"", b"", b"", bytes(31)), "digest of 32 bytes in round 1, got 31"),
    ],
)
def test_a_row_refuses_what_cannot_be_stored(fields, said):
    with pytest.raises(LedgerError, match=said):
        Row(*fields)


GENESIS_RUN = "b15086bd4ed522c09b4ca2ee025c01d8c7dee3272a5ae9c6aa74667d53ab8094"
ROW_258 = "31812626d74781a7ceb4da02b547d94f0f007f99501948f5287f6c4cad7887a7"
SNAPSHOT_100 = "e67794a2d226848927bf63068c5b438abaa749b692f1d67f8e847d08d56b5120"
META_HEAD = "a0251d701fa92a9ad3808e426e9be70ea36206b48b9a6d3eb45c307eb249e224"
