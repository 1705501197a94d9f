"""The codec: one encoding a message, strict on everything else, golden bytes."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.errors import DecodeError
from baffle.protocol import (
    Outcome,
    Plan,
    Report,
    decode_outcome,
    decode_plan,
    decode_report,
    encode_outcome,
    encode_plan,
    encode_report,
)
from baffle.protocol.codec import report_size
from baffle.protocol.packing import pack, packed_size, unpack, width_for
from baffle.protocol.participants import decode_participants, encode_participants
from tests.protocol.strategies import outcomes, plans, reports

PLAN = Plan(
    run=bytes(range(16)),
    round=7,
    key=0x0123456789ABCDEF,
    digest=bytes(range(32)),
    num_directions=4,
    num_local_steps=1,
    kind_code=0,
    density_steps=65536,
    estimator_code=2,
    pairs=2,
    radius_exponent=-9,
    scale_exponents=(0, -1),
    step_exponent=-12,
    bits=16,
    batch=32,
    weighting="uniform",
    weight_cap=1000,
    step_size=0.02,
    local_factor=0.0,
)
REPORT = Report(bytes(range(8)), 7, 3, np.array([1, -2, 32767, -32767]), 1, 151234, 1, 0, 99, 5, 6)
OUTCOME = Outcome(bytes(range(16)), 7, 5, 5, 5, 700_000, 1, 0, 500, 25, 30, np.array([1, -2, 3, 4]))


def same(one, other):
    one, other = dataclasses.asdict(one), dataclasses.asdict(other)
    return all(np.array_equal(one[k], other[k]) for k in one)


def test_golden_plan():
    assert encode_plan(PLAN).hex() == (
        "5001" "000102030405060708090a0b0c0d0e0f" "07000000" "efcdab8967452301"
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "04000000" "0100" "00" "ffff" "02" "02000000" "f7" "f4" "10" "20000000" "00" "e8030000"
        "7b14ae47e17a943f" "0000000000000000" "0200" "00ff"
    )  # fmt: skip


def test_golden_plan_with_candidates():
    plan = dataclasses.replace(PLAN, candidates=64, groups=3)
    plain = encode_plan(PLAN)
    assert encode_plan(plan) == b"\x50\x03" + plain[2:] + bytes.fromhex("0300004000")
    alone = dataclasses.replace(PLAN, candidates=64)
    assert encode_plan(alone) == b"\x50\x03" + plain[2:] + bytes.fromhex("0100004000")


@pytest.mark.parametrize(
    ("candidates", "batch", "said"),
    [
        (0, 1, "a plan without candidates has version 1 or 2"),
        (4, 0, "B in 1 to 4"),
        (4, 5, "got 5"),
    ],
)
def test_candidates_that_make_no_sense_are_refused(candidates, batch, said):
    plan = dataclasses.replace(PLAN, candidates=9, batch=1)
    data = bytearray(encode_plan(plan))
    data[-2:] = candidates.to_bytes(2, "little")
    data[79:83] = batch.to_bytes(4, "little")
    with pytest.raises(DecodeError, match=said):
        decode_plan(bytes(data))


def test_golden_report():
    assert encode_report(REPORT, 16).hex() == (
        "5201" "0001020304050607" "07000000" "03000000" "04000000" "01000000" "c24e0200"
        "01000000" "00000000" "630000000000" "050000000000" "060000000000" "0080fd7ffeff0000"
    )  # fmt: skip


def test_golden_outcome():
    assert encode_outcome(OUTCOME).hex() == (
        "4f01" "000102030405060708090a0b0c0d0e0f" "07000000" "05000000" "0500000000000000"
        "0500000000000000" "60ae0a0000000000" "0100000000000000" "0000000000000000"
        "f401000000000000" "1900000000000000" "1e00000000000000" "04" "04000000" "58ba"
    )  # fmt: skip


@settings(deadline=None)
@given(st.data())
def test_round_trip_and_one_encoding(data):
    plan = data.draw(plans())
    encoded = encode_plan(plan)
    assert decode_plan(encoded) == plan
    report = data.draw(reports(plan))
    assert same(decode_report(encode_report(report, plan.bits), plan), report)
    outcome = data.draw(outcomes(plan))
    assert same(decode_outcome(encode_outcome(outcome), plan.count), outcome)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_bytes_that_decode_are_the_encoding_of_what_they_decode_to(data):
    """Change any byte, cut or add some: refused, or another message whose encoding it is."""
    plan = data.draw(plans())
    encoders = {
        "plan": (encode_plan(plan), decode_plan, encode_plan),
        "report": (
            encode_report(data.draw(reports(plan)), plan.bits),
            lambda b: decode_report(b, plan),
            lambda m: encode_report(m, plan.bits),
        ),
        "outcome": (
            encode_outcome(data.draw(outcomes(plan))),
            lambda b: decode_outcome(b, plan.count),
            encode_outcome,
        ),
    }
    good, decode, encode = encoders[data.draw(st.sampled_from(sorted(encoders)))]
    changed = bytearray(good)
    place = data.draw(st.integers(0, len(good) - 1))
    changed[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([None, None, None, place]))
    mutated = bytes(changed[:cut]) + data.draw(st.sampled_from([b"", b"", b"", b"\0"]))
    try:
        message = decode(mutated)
    except DecodeError:
        return
    assert encode(message) == mutated


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400), st.sampled_from([b"", b"\x50\x01", b"\x52\x01", b"\x4f\x01"]))
def test_any_bytes_are_refused_or_canonical(data, head):
    for decode, encode in (
        (decode_plan, encode_plan),
        (lambda b: decode_report(b, PLAN), lambda m: encode_report(m, PLAN.bits)),
        (lambda b: decode_outcome(b, PLAN.count), encode_outcome),
        (decode_participants, encode_participants),
    ):
        try:
            message = decode(head + data)
        except DecodeError:
            continue
        assert encode(message) == head + data


@given(st.lists(st.integers(0, 2**32 - 1), unique=True, max_size=30))
def test_participants_round_trip(numbers):
    ascending = tuple(sorted(numbers))
    assert decode_participants(encode_participants(ascending)) == ascending


@given(st.integers(1, 64), st.data())
def test_packing_round_trip_at_every_width(bits, data):
    limit = 1 if bits == 1 else 2 ** (bits - 1) - 1
    levels = st.sampled_from([-1, 1]) if bits == 1 else st.integers(-limit, limit)
    values = np.array(data.draw(st.lists(levels, max_size=30)), dtype=np.int64)
    packed = pack(values, bits)
    assert len(packed) == packed_size(len(values), bits)
    assert np.array_equal(unpack(packed, len(values), bits), values)
    assert width_for(values) <= max(2, bits)


def test_a_value_that_does_not_fit_is_never_wrapped():
    for bits, value in ((2, 2), (16, 32768), (16, -32768), (24, 2**23)):
        with pytest.raises(DecodeError, match="expected integers within"):
            pack(np.array([value]), bits)


@pytest.mark.parametrize("K", [1, 64, 512, 4096])
def test_an_upload_is_at_most_two_bytes_a_direction_and_64(K):
    assert report_size(K, 16) <= 2 * K + 64


def test_lengths_are_checked_before_anything_is_allocated():
    huge = bytearray(encode_plan(PLAN))
    huge[62:66] = (2**32 - 1).to_bytes(4, "little")
    with pytest.raises(DecodeError, match=r"H·K"):
        decode_plan(bytes(huge))
    outcome = bytearray(encode_outcome(OUTCOME))
    outcome[91:95] = (2**32 - 1).to_bytes(4, "little")
    with pytest.raises(DecodeError, match="expected 4 integers or none"):
        decode_outcome(bytes(outcome), 4)


def test_another_version_is_named():
    other = bytearray(encode_plan(PLAN))
    other[1] = 4
    with pytest.raises(DecodeError, match="expected version 1 or 2 or 3, got 4"):
        decode_plan(bytes(other))
