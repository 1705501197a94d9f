"""Golden bytes of what a network carries: written by hand from docs/protocol.md, never adjusted."""

import hashlib

import numpy as np
import pytest

from baffle.fleet.members import Members
from baffle.ledger import snapshot
from baffle.protocol.exchange import (
    REASONS,
    Ask,
    Evaluation,
    Holding,
    Holds,
    Masked,
    Reported,
    SnapshotHeader,
    TailRow,
    Trouble,
    client_tag,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from baffle.updates import TrainState

RUN, RUN_HEX = bytes(range(16)), "000102030405060708090a0b0c0d0e0f"
SHA, SHA_HEX = bytes(range(32)), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
CLIENT = {"run": RUN, "client": 258}
HEADER = SnapshotHeader(7, 2**33 + 5, SHA, 3)
ROWS = (TailRow(b"\x50\x01", b"\x4f"), TailRow(b"", b"\x4f\x01\x02"))

GENESIS_PART = "030000007b7d0a"
SNAPSHOT_PART = "070000000500000002000000" + SHA_HEX + "03000000"
TAIL_PART = "02000000020000005001010000004f00000000030000004f0102"
PLAN_PART = "020000005001"

ASKS = {
    "nothing": (Ask(**CLIENT), "410100" + RUN_HEX + "02010000"),
    "genesis": (Ask(**CLIENT, genesis=b"{}\n"), "410101" + RUN_HEX + "02010000" + GENESIS_PART),
    "snapshot": (Ask(**CLIENT, snapshot=HEADER), "410102" + RUN_HEX + "02010000" + SNAPSHOT_PART),
    "tail": (Ask(**CLIENT, tail=ROWS), "410104" + RUN_HEX + "02010000" + TAIL_PART),
    "plan": (Ask(**CLIENT, plan=b"\x50\x01"), "410108" + RUN_HEX + "02010000" + PLAN_PART),
    "evaluate": (Ask(**CLIENT, evaluate=True), "410110" + RUN_HEX + "02010000"),
    "group": (
        Ask(**CLIENT, plan=b"\x50\x01", group=259),
        "410128" + RUN_HEX + "02010000" + PLAN_PART + "0301",
    ),
    "mask": (
        Ask(**CLIENT, plan=b"\x50\x01", sums=(b"\xa3\x01\x07",)),
        "410148" + RUN_HEX + "02010000" + PLAN_PART + "0103000000a30107",
    ),
    "unmask and share": (
        Ask(**CLIENT, sums=(b"\xa5\x01", b"\xa1\x01\x08")),
        "410140" + RUN_HEX + "02010000" + "0202000000a50103000000a10108",
    ),
    "all": (
        Ask(RUN, 258, b"{}\n", HEADER, ROWS, b"\x50\x01", True),
        "41011f" + RUN_HEX + "02010000" + GENESIS_PART + SNAPSHOT_PART + TAIL_PART + PLAN_PART,
    ),
}

SEEN = Evaluation(300, 255, -65536)
SEEN_HEX = "2c010000ff0000000000ffffffffffff"
BLIND_HEX = "2c010000ffffffff0000010000000000"
HELD_HEX = "09000000" + SHA_HEX
NONE_HEX = "ffffffff" + "00" * 32

TAG, PLAN = bytes(range(200, 216)), b"\x50\x01"  # what a report's seal takes in besides

ADVERT = b"\xa0\x01" + bytes(range(168))
# What a masked answer's seal takes in: plan and message of the ask "mask" above.
CONTEXT = hashlib.sha256(
    bytes.fromhex(PLAN_PART) + b"\x01" + bytes.fromhex("03000000a30107")
).digest()

# Each with its seal, the 16 digits behind type, version and kind.
ANSWERS = {
    "report": (Reported(b"\x52\x01").sealed(TAG, PLAN), "610100" "88dac435b2496a1a" "5201"),
    "report, evaluated": (
        Reported(b"\x52\x01", SEEN).sealed(TAG, PLAN),
        "610180" "106bf63e5c5b5e2c" + SEEN_HEX + "5201",
    ),
    "report, evaluated without classes": (
        Reported(b"", Evaluation(300, None, 65536)).sealed(TAG, PLAN),
        "610180" "0c8d326aa3ff3d7c" + BLIND_HEX,
    ),
    "holds": (
        Holds(RUN, 4, Holding(9, SHA), 1500),
        "610101" "e4585ea98a843a3b" + RUN_HEX + "04000000" + HELD_HEX + "dc050000",
    ),
    "holds nothing": (
        Holds(RUN, None, None),
        "610101" "d0c6f1dc0652ccce" + RUN_HEX + "ffffffff" + NONE_HEX + "00000000",
    ),
    "holds, evaluated": (
        Holds(RUN, 4, Holding(9, SHA), 1500, SEEN),
        "610181" "63cfa7984260e533" + SEEN_HEX + RUN_HEX + "04000000" + HELD_HEX + "dc050000",
    ),
    "holds, with keys": (
        Holds(RUN, 4, Holding(9, SHA), 1500, None, ADVERT),
        "610141" "c45262e6744124bf" + RUN_HEX + "04000000" + HELD_HEX + "dc050000" + ADVERT.hex(),
    ),
    "masked": (
        Masked(258, 7, (b"\xa4\x01\x07",)).sealed(TAG, CONTEXT),
        "610103" "a3dfe3f952d7619e" "02010000" "07000000" "ff" "01" "03000000" "a40107",
    ),
    "masked, evaluated": (
        Masked(258, 7, (b"\xa4",), None, SEEN).sealed(TAG, CONTEXT),
        "610183" "0bf26989b63c090f" + SEEN_HEX + "02010000" "07000000" "ff" "01" "01000000" "a4",
    ),
    "masked, opened and shared": (
        Masked(258, 8, (b"\xa6\x01", b"\xa2\x01")).sealed(TAG, CONTEXT),
        "610103" "02077ce99b22881d" "02010000" "08000000" "ff" "02"
        "02000000" "a601" "02000000" "a201",
    ),
    "masked, a complaint": (
        Masked(258, 7, (b"\xa7\x01",)).sealed(TAG, CONTEXT),
        "610103" "6ee2b8f145737985" "02010000" "07000000" "ff" "01" "02000000" "a701",
    ),
    "masked, one half refused": (
        Masked(258, 7, (b"\xa6\x01",), "spent").sealed(TAG, CONTEXT),
        "610103" "c580074b28384546" "02010000" "07000000" "0b" "01" "02000000" "a601",
    ),
    "trouble": (
        Trouble("digest", "größer", Holding(9, SHA)),
        "610102" "a0ee05c3b6a5a27e" "01" + HELD_HEX + "08000000" "6772c3b6c39f6572",
    ),
    "trouble, holding nothing": (
        Trouble("failed", "", None),
        "610102" "5d25594a22261eaf" "08" + NONE_HEX + "00000000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKS)
def test_golden_ask(name):
    ask, expected = ASKS[name]
    assert encode_ask(ask).hex() == expected
    assert decode_ask(bytes.fromhex(expected)) == ask


@pytest.mark.parametrize("name", ANSWERS)
def test_golden_answer(name):
    answer, expected = ANSWERS[name]
    assert encode_answer(answer, RUN).hex() == expected
    assert decode_answer(bytes.fromhex(expected), RUN) == answer


def test_golden_seals():
    """By docs/protocol.md, with nothing of the library."""
    for name, (_, expected) in ANSWERS.items():
        data = bytes.fromhex(expected)
        contexts = {"report": TAG + hashlib.sha256(PLAN).digest(), "masked": TAG + CONTEXT}
        context = contexts.get(name.partition(",")[0], RUN)
        content = b"baffle answer 1\n" + data[2:3] + context + data[11:]
        assert data[3:11] == hashlib.sha256(content).digest()[:8], name


def test_the_context_of_a_masked_answer():
    assert ASKS["mask"][0].context == CONTEXT


def test_reasons_keep_their_codes():
    assert REASONS[:15] == (
        "behind", "digest", "run", "decode", "model", "data", "nonfinite", "probe", "failed",
        "forged", "secure", "spent", "roster", "peer", "group",
    )  # fmt: skip


def test_golden_client_tag():
    secret = bytes(range(100, 132))
    expected = hashlib.sha256(b"baffle client tag 1\n" + RUN + secret).hexdigest()[:32]
    assert client_tag(secret, RUN).hex() == expected == "3a5a44e37c41323bc1959e3c55eebce4"


def test_golden_snapshot():
    slots = {
        "weights": {"w": np.array([[1, -2]], np.float32), "b": np.array([0.5], np.float32)},
        "ema": {"w": np.array([[0, 3]], np.float32), "b": np.array([-0.0], np.float32)},
    }
    state = TrainState(300, slots, 299)
    said = (
        b"baffle state 1\n" + (300).to_bytes(8, "little") + (299).to_bytes(8, "little")
        + b"ema/b [1]\n" + bytes.fromhex("00000080")
        + b"ema/w [1, 2]\n" + bytes.fromhex("0000000000004040")
        + b"weights/b [1]\n" + bytes.fromhex("0000003f")
        + b"weights/w [1, 2]\n" + bytes.fromhex("0000803f000000c0")
    )  # fmt: skip
    digest = hashlib.sha256(said).hexdigest()
    header = (
        '{"__metadata__":{"format":"1","round":"300","updates":"299","digest":"' + digest + '"},'
        '"ema/b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        '"ema/w":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]},'
        '"weights/b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},'
        '"weights/w":{"dtype":"F32","shape":[1,2],"data_offsets":[16,24]}}'
    ).encode()
    header += b" " * (-len(header) % 8)
    numbers = bytes.fromhex("0000008000000000000040400000003f0000803f000000c0")
    data = len(header).to_bytes(8, "little") + header + numbers
    assert snapshot.encode(state) == data
    assert (
        hashlib.sha256(data).hexdigest()
        == "965513f2f7a647c670381ce18897fcde478f61eab5819b8f24a18918916669e0"
    )
    found, its_digest = snapshot.decode(data, TrainState(0, slots))
    assert (found.round, found.updates, its_digest.hex()) == (300, 299, digest)
    assert found.slots["weights"]["w"].tolist() == [[1, -2]]


def test_golden_members():
    text = (
        '{\n "format": 1,\n "clients": 12,\n "tags": {\n'
        f'  "2": "{RUN_HEX}",\n'
        f'  "10": "{"ff" * 16}"\n'
        ' },\n "nodes": {\n  "10": 7\n }\n}'
    )
    members = Members(12, [(10, b"\xff" * 16, 7), (2, RUN, None)])
    assert members.to_json() == text
    assert Members.from_json(text, 12).to_json() == text
