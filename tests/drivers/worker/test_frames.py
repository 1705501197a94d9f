"""Frames have one encoding, come back as they went, and are bounded before they are read."""

from __future__ import annotations

import threading
from multiprocessing import Pipe

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baffle.drivers.worker.frames import (
    MAX_HEADER,
    MAX_PARTS,
    Kind,
    decode_header,
    encode_header,
    receive,
    send,
)
from baffle.drivers.worker.terms import decode_terms, encode_terms
from baffle.errors import DecodeError

kinds = st.sampled_from(Kind)
lengths = st.lists(st.integers(0, 2**40), max_size=20)


class Tape:
    """What was sent, to be received again; remembers what was asked for."""

    def __init__(self, messages=()):
        self.messages = list(messages)
        self.limits = []

    def send_bytes(self, data):
        self.messages.append(bytes(data))

    def recv_bytes(self, maxlength=None):
        self.limits.append(maxlength)
        if not self.messages:
            raise EOFError
        message = self.messages.pop(0)
        if len(message) > maxlength:
            raise OSError("bad message length")
        return message


@given(kinds, st.lists(st.binary(max_size=50), max_size=20))
def test_a_frame_comes_back_as_it_went(kind, parts):
    tape = Tape()
    send(tape, kind, parts, limit=1000)
    assert receive(tape, limit=1000) == (kind, parts)
    assert not tape.messages
    assert tape.limits == [MAX_HEADER, *map(len, parts)]


@given(kinds, lengths)
def test_a_header_comes_back_as_it_went(kind, lengths):
    total = sum(lengths)
    data = encode_header(kind, lengths, total)
    assert len(data) == 9 + 8 * len(lengths)
    assert decode_header(data, total) == (kind, tuple(lengths))
    if total:
        with pytest.raises(DecodeError, match="at most"):
            decode_header(data, total - 1)
        with pytest.raises(DecodeError, match="at most"):
            encode_header(kind, lengths, total - 1)


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda tail: b"BWF1" + tail))
@example(b"BWF1\x01\xff\xff\xff\xff")
@example(b"BWF1\x01\x01\x00\x00\x00" + b"\xff" * 8)
@example(b"BWF1\x00\x00\x00\x00\x00")
@example(b"BWF1\x01\x00\x00\x00\x00\x00")
def test_any_bytes_are_refused_or_the_one_encoding(data):
    try:
        kind, lengths = decode_header(data, 1 << 30)
    except DecodeError:
        return
    assert encode_header(kind, lengths, 1 << 30) == data


@given(kinds, lengths, st.data())
def test_a_header_with_one_byte_changed_is_another_or_refused(kind, lengths, data):
    whole = encode_header(kind, lengths, 1 << 60)
    place = data.draw(st.integers(0, len(whole) - 1))
    other = bytearray(whole)
    other[place] ^= data.draw(st.integers(1, 255))
    try:
        found = decode_header(bytes(other), 1 << 60)
    except DecodeError:
        return
    assert found != (kind, tuple(lengths))


def test_the_number_of_parts_is_bounded():
    most = [0] * MAX_PARTS
    assert len(encode_header(Kind.ASK, most, 0)) == MAX_HEADER
    with pytest.raises(DecodeError, match="at most 65536 parts, got 65537"):
        encode_header(Kind.ASK, [*most, 0], 0)


@pytest.mark.parametrize("length", [2, 0])
def test_a_part_of_another_length_than_announced(length):
    tape = Tape([encode_header(Kind.ASK, [1], 9), bytes(length)])
    with pytest.raises((DecodeError, OSError), match=r"bad message length|came with 0"):
        receive(tape, 9)


def test_nothing_is_sent_of_a_frame_over_the_limit():
    tape = Tape()
    with pytest.raises(DecodeError, match="at most 3 bytes, got 4"):
        send(tape, Kind.ANSWER, [b"ab", b"cd"], limit=3)
    assert not tape.messages


def test_a_longer_message_than_announced_is_not_read_from_a_real_connection():
    near, far = Pipe()
    with near, far:
        writing = threading.Thread(target=_send_twice, args=(near,))
        writing.start()
        with pytest.raises(OSError, match="bad message length"):
            receive(far, 1 << 20)
        writing.join()


def _send_twice(line):
    line.send_bytes(encode_header(Kind.ASK, [10], 10))
    line.send_bytes(bytes(11))


@given(st.text(max_size=99), st.floats(0.001, 999_999), st.none() | st.integers(1, 1 << 40))
def test_terms_come_back_as_they_went(fingerprint, patience, pid):
    assert decode_terms(encode_terms(fingerprint, patience, pid)) == (fingerprint, patience, pid)


@given(st.binary(max_size=40))
@example(b'["a", 1.0, 0]')
@example(b'["a", NaN, 1]')
@example(b'["a", 1.0, 1, 1]')
@example(b'{"a": 1, "b": 2, "c": 3}')
@example(b"7")
@example(b'["a", 1.0, true]')
@example(b'["a", 1000000.0, null]')
@example(b"[" * 4000)
@example(b" " * 5000 + b'["a", 1.0, null]')
@example(b"[" * 40)
def test_other_terms_are_refused(data):
    with pytest.raises(DecodeError, match="terms"):
        decode_terms(data)
