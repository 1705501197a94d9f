"""Asks and answers: one encoding each, bounds before anything is copied, seals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.errors import DecodeError
from baffle.protocol.exchange import (
    REASONS,
    Ask,
    Holds,
    Masked,
    Reported,
    Trouble,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from baffle.protocol.exchange.ask import MAX_GENESIS, MAX_OUTCOME, MAX_PLAN, MAX_ROWS
from baffle.protocol.exchange.sums import MAX_MESSAGE
from tests.protocol.exchange.strategies import answers, asks, runs

RUN = bytes(range(16))
HEAD = b"\x41\x01"
BEHIND = RUN + bytes(4)


@given(asks)
def test_an_ask_comes_back_as_it_went(ask):
    assert decode_ask(encode_ask(ask)) == ask


@given(answers, runs)
def test_an_answer_comes_back_as_it_went(answer, run):
    assert decode_answer(encode_answer(answer, run), run) == answer


def changed(data, good):
    mutated = bytearray(good)
    place = data.draw(st.integers(0, len(good) - 1))
    mutated[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([None, None, None, place]))
    return bytes(mutated[:cut]) + data.draw(st.sampled_from([b"", b"", b"", b"\0"]))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_ask_bytes_that_decode_are_the_encoding_of_what_they_decode_to(data):
    mutated = changed(data, encode_ask(data.draw(asks)))
    try:
        ask = decode_ask(mutated)
    except DecodeError:
        return
    assert encode_ask(ask) == mutated


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_changed_answer_is_refused_or_a_report_with_another_seal(data):
    answer = data.draw(answers)
    tag, plan = bytes(16), b"plan"
    if isinstance(answer, Reported | Masked):
        answer = answer.sealed(tag, plan)
    good = encode_answer(answer, RUN)
    mutated = changed(data, good)
    try:
        found = decode_answer(mutated, RUN)
    except DecodeError:
        return
    assert encode_answer(found, RUN) == mutated
    if mutated != good:
        assert isinstance(found, Reported | Masked)
        assert found.sealed(tag, plan).seal != found.seal


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from([b"", HEAD, HEAD + b"\x1f", b"\x61\x01"]))
def test_any_bytes_are_refused_or_canonical(data, head):
    for decode, encode in ((decode_ask, encode_ask), (decode_answer, encode_answer)):
        try:
            message = decode(head + data)
        except DecodeError:
            continue
        assert encode(message) == head + data


def size(number):
    return number.to_bytes(4, "little")


def one(kind):
    return b"\1" + size(1) + bytes((kind,))


@pytest.mark.parametrize(
    ("flags", "rest", "message"),
    [
        (0x80, b"", "flags within"),
        (0x20, b"\0\0", "a group with a plan"),
        (0x28, size(1) + b"\x50\0", "expected 2 more bytes, got 1"),
        (0x68, size(0) + b"\0\0" + one(0xA3), "a group or secure sums"),
        (0x40, b"\0", "messages that go together"),
        (0x40, b"\3", "at most 2 messages"),
        (0x40, one(0xA3), "a mask ask with a plan"),
        (0x48, size(0) + one(0xA1), "a mask ask with a plan"),
        (0x40, one(0xA2), "messages that go together"),
        (0x40, b"\2" + 2 * (size(1) + b"\xa1"), "messages that go together"),
        (0x40, b"\1" + size(0), "messages that go together"),
        (0x40, b"\1" + size(MAX_MESSAGE + 1), "a message of a secure sum of at most"),
        (0x40, b"\1" + size(9) + b"\xa1", "expected 9 more bytes, got 1"),
        (1, size(MAX_GENESIS + 1), "a genesis of at most"),
        (1, size(MAX_GENESIS), f"expected {MAX_GENESIS} more bytes, got 0"),
        (2, bytes(48), "1 to 65536 chunks"),
        (2, bytes(44) + size(2**16 + 1), "1 to 65536 chunks"),
        (2, bytes(44) + size(1), "a snapshot of up to"),
        (2, bytes(4) + (2**40 + 1).to_bytes(8, "little") + bytes(32) + size(1), "a snapshot of up"),
        (2, size(2**32 - 1) + size(1) + bytes(36) + size(1), "a state of a round up to"),
        (4, size(0), "1 to 16777216 rounds"),
        (4, size(MAX_ROWS + 1), "1 to 16777216 rounds"),
        (4, size(MAX_ROWS), "expected 4 more bytes, got 0"),
        (4, size(1) + size(MAX_PLAN + 1), "a plan of at most"),
        (4, size(1) + size(0) + size(MAX_OUTCOME + 1), "an outcome of at most"),
        (8, size(MAX_PLAN + 1), "a plan of at most"),
        (8, size(2) + b"\x50", "expected 2 more bytes, got 1"),
        (0, b"\0", "nothing after the last field"),
    ],
)
def test_an_ask_names_what_is_wrong(flags, rest, message):
    with pytest.raises(DecodeError, match=message):
        decode_ask(HEAD + bytes([flags]) + BEHIND + rest)


@pytest.mark.parametrize(("at", "message"), [(0, "type byte"), (1, "upgrade the older side")])
def test_type_and_version_are_named(at, message):
    for decode, good in (
        (decode_ask, encode_ask(Ask(RUN, 0))),
        (decode_answer, encode_answer(Holds(RUN, None, None))),
    ):
        other = bytearray(good)
        other[at] += 1
        with pytest.raises(DecodeError, match=message):
            decode(bytes(other))


def test_an_answer_of_another_run_is_none():
    data = encode_answer(Trouble("data", "no data", None), RUN)
    with pytest.raises(DecodeError, match="the seal of this run"):
        decode_answer(data, bytes(16))


def test_a_report_fits_one_tag_and_one_plan():
    answer = Reported(b"report").sealed(b"t" * 16, b"plan")
    assert answer.sealed(b"t" * 16, b"plan") == answer
    assert answer.sealed(b"u" * 16, b"plan").seal != answer.seal
    assert answer.sealed(b"t" * 16, b"plam").seal != answer.seal


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (bytes(8) + bytes((len(REASONS),)) + one(0xA4), "a reason below"),
        (bytes(8) + b"\xff\0", "answers that go together"),
        (bytes(8) + b"\xff" + one(0xA1), "answers that go together"),
        (bytes(8) + b"\xff\2" + (size(1) + b"\xa2") + (size(1) + b"\xa6"), "answers that go"),
        (bytes(8) + b"\xff" + one(0xA4) + b"\0", "nothing after the last field"),
    ],
)
def test_a_masked_answer_names_what_is_wrong(rest, message):
    with pytest.raises(DecodeError, match=message):
        decode_answer(b"\x61\1\3" + bytes(8) + rest)


def test_a_masked_vector_fits_one_tag_and_one_ask():
    """Another plan beside the same message, or the same bytes cut elsewhere, is another ask."""
    asks = [
        Ask(RUN, 1, plan=b"plan", sums=(b"\xa3mask",)),
        Ask(RUN, 1, plan=b"plam", sums=(b"\xa3mask",)),
        Ask(RUN, 1, plan=b"plan", sums=(b"\xa3mass",)),
        Ask(RUN, 1, sums=(b"\xa5un", b"\xa1share")),
        Ask(RUN, 1, sums=(b"\xa5un\xa1", b"share")),
        Ask(RUN, 1, sums=(b"\xa1share",)),
    ]
    answer = Masked(1, 2, (b"\xa4vector",))
    seals = {answer.sealed(tag * 16, ask.context).seal for tag in (b"t", b"u") for ask in asks}
    assert len(seals) == 2 * len(asks)


@given(st.text(alphabet="aü€\U0001f512", min_size=100, max_size=500))
def test_a_long_text_is_cut_between_two_characters(text):
    found = decode_answer(encode_answer(Trouble("failed", text, None)))
    assert text.startswith(found.text)
    assert min(len(text.encode()), 397) <= len(found.text.encode()) <= 400
