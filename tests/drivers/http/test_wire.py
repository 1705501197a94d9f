"""Bodies and headers: one encoding each, known bytes, and nothing else is taken."""

import hashlib
import io

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from baffle.drivers.http import wire
from baffle.drivers.http.enrolment import (
    Token,
    decode_enrolled,
    decode_enrolment,
    encode_enrolled,
    encode_enrolment,
    gateway_of,
    node_of,
)
from baffle.drivers.http.refusals import REFUSALS, No, decode_refusal, encode_refusal, status_of
from baffle.drivers.http.signed import MAX_NODE, Request, Stamp, sign, verify
from baffle.errors import DecodeError, Refused

parts = st.lists(st.binary(max_size=40), min_size=1, max_size=9)
stamps = st.builds(
    Stamp,
    st.integers(1, MAX_NODE),
    st.integers(0, 2**64 - 1),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=64, max_size=64),
)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SERVER = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
SALT = bytes(range(16))
GATEWAY = gateway_of(SALT, SERVER.public_key().public_bytes_raw())
TOKEN = Token(GATEWAY, bytes(range(16, 32)))


# --- bodies


@given(parts)
def test_parts_come_back_as_they_went(given_parts):
    assert wire.decode_parts(wire.encode_parts(given_parts)) == given_parts


@given(st.binary(max_size=80))
def test_any_bytes_are_the_one_encoding_of_some_parts_or_refused(body):
    try:
        found = wire.decode_parts(body)
    except DecodeError:
        return
    assert wire.encode_parts(found) == body


@given(parts, st.data())
def test_a_body_that_was_changed_is_refused_or_another_list(given_parts, data):
    body = bytearray(wire.encode_parts(given_parts))
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = wire.decode_parts(bytes(body))
    except DecodeError:
        return
    assert found != given_parts
    assert wire.encode_parts(found) == bytes(body)


@given(parts, st.integers(1, 5))
def test_a_body_that_is_too_long_or_too_short_is_refused(given_parts, more):
    body = wire.encode_parts(given_parts)
    for wrong in (body + bytes(more), body[:-more]):
        with pytest.raises(DecodeError):
            wire.decode_parts(wrong)


def test_nothing_is_read_for_lengths_that_lie():
    asked = []
    head = io.BytesIO(b"BGP1\2\0\0\0" + b"\xff" * 8)

    def counted(size):
        asked.append(size)
        return head.read(size)

    with pytest.raises(DecodeError, match=r"expected 8589934606 bytes, as its lengths say, got 16"):
        wire.read_parts(counted, 16)
    assert asked == [8, 8]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "at least 8 bytes, got 0"),
        (b"BGP2\1\0\0\0\0\0\0\0", "at its start"),
        (b"BGP1\0\0\0\0", "1 to 65538 parts, got 0"),
        (b"BGP1\xff\xff\xff\xff", "1 to 65538 parts, got 4294967295"),
        (b"BGP1\3\0\0\0\0\0\0\0", "lengths of 3 parts, got 12 bytes"),
    ],
)
def test_the_words_of_a_refused_body(body, said):
    with pytest.raises(DecodeError, match=f"body: expected.*{said}"):
        wire.decode_parts(body)


def test_more_parts_than_there_may_be_are_not_made():
    with pytest.raises(ValueError, match="1 to 65538"):
        wire.encode_parts([])
    with pytest.raises(ValueError, match="1 to 65538"):
        wire.encode_parts([b""] * (wire.MAX_PARTS + 1))


@given(st.integers(0, wire.MAX_NUMBER), st.binary(max_size=50))
def test_an_answer_comes_back(number, data):
    assert wire.decode_answer(wire.encode_answer(number, data)) == (number, data)


@given(st.integers(0, wire.MAX_NUMBER), parts)
def test_an_ask_comes_back(number, given_parts):
    body = wire.encode_parts(wire.encode_ask(number, given_parts))
    assert wire.decode_ask(wire.decode_parts(body)) == (number, given_parts)


@pytest.mark.parametrize("wrong", [[b"12345678"], [b"1234567", b"x"], [b"123456789", b"x"]])
def test_an_ask_without_its_number_is_none(wrong):
    with pytest.raises(DecodeError):
        wire.decode_ask(wrong)
    with pytest.raises(DecodeError):
        wire.decode_answer(wire.encode_parts(wrong))


def test_a_wait_is_bounded():
    assert wire.decode_wait(wire.encode_wait(25_000)) == 25_000
    assert wire.decode_wait(wire.encode_wait(10**9)) == wire.MAX_WAIT
    for wrong in (b"", b"123", b"12345", (wire.MAX_WAIT + 1).to_bytes(4, "little")):
        with pytest.raises(DecodeError):
            wire.decode_wait(wrong)


# --- stamps


@given(stamps)
def test_a_stamp_comes_back(stamp):
    assert Stamp.of(stamp.header()) == stamp


@given(st.one_of(st.text(max_size=30), st.from_regex(r"Baffle [0-9a-fA-F]{194}", fullmatch=True)))
def test_any_header_is_the_one_encoding_of_a_stamp_or_refused(header):
    try:
        found = Stamp.of(header)
    except DecodeError:
        return
    assert found.header() == header


BASE = Request("POST", "/v1/answer", b"body")


@pytest.mark.parametrize(
    ("stamp", "request_", "gateway"),
    [
        (Stamp(5, 8, bytes(16)), BASE, GATEWAY),
        (Stamp(6, 7, bytes(16)), BASE, GATEWAY),
        (Stamp(5, 7, b"x" * 16), BASE, GATEWAY),
        (Stamp(5, 7, bytes(16)), Request("GET", "/v1/answer", b"body"), GATEWAY),
        (Stamp(5, 7, bytes(16)), Request("POST", "/v1/ask", b"body"), GATEWAY),
        (Stamp(5, 7, bytes(16)), Request("POST", "/v1/answer", b"bodY"), GATEWAY),
        (Stamp(5, 7, bytes(16)), BASE, bytes(16)),
    ],
    ids=["counter", "node", "epoch", "method", "path", "body", "gateway"],
)
def test_a_signature_is_over_all_of_a_request(stamp, request_, gateway):
    good = sign(Stamp(5, 7, bytes(16)), BASE, GATEWAY, KEY)
    verify(good, BASE, GATEWAY, KEY.public_key())
    moved = Stamp(stamp.node, stamp.counter, stamp.epoch, good.signature)
    with pytest.raises(Refused) as no:
        verify(moved, request_, gateway, KEY.public_key())
    assert no.value.reason == "signature"


def test_another_devices_signature_is_refused():
    good = sign(Stamp(5, 7, bytes(16)), BASE, GATEWAY, SERVER)
    with pytest.raises(Refused, match="without its device's signature"):
        verify(good, BASE, GATEWAY, KEY.public_key())


# --- enrolment


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_a_token_comes_back(gateway, secret):
    token = Token(gateway, secret)
    assert Token.of(token.text) == token
    assert len(token.text) == 43


@given(st.one_of(st.text(max_size=50), st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True)))
def test_any_text_is_the_one_text_of_a_token_or_refused(text):
    try:
        found = Token.of(text)
    except DecodeError:
        return
    assert found.text == text


def test_an_enrolment_comes_back():
    found = decode_enrolment(encode_enrolment(TOKEN, KEY), GATEWAY)
    assert (found.token, found.device) == (TOKEN.public, KEY.public_key().public_bytes_raw())


def test_a_token_does_not_show_its_secret():
    body = encode_enrolment(TOKEN, KEY)
    assert TOKEN.secret not in body
    assert TOKEN.key.private_bytes_raw() not in body


@given(st.data())
def test_an_enrolment_that_was_changed_anywhere_is_refused(data):
    body = bytearray(encode_enrolment(TOKEN, KEY))
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((DecodeError, Refused)):
        decode_enrolment(bytes(body), GATEWAY)


@given(st.binary(max_size=220))
def test_any_bytes_are_no_enrolment(body):
    with pytest.raises((DecodeError, Refused)):
        decode_enrolment(body, GATEWAY)


def test_a_token_signs_for_its_own_gateway_and_for_one_device():
    body = encode_enrolment(TOKEN, KEY)
    with pytest.raises(Refused) as no:
        decode_enrolment(body, bytes(16))
    assert no.value.reason == "token"
    other = Ed25519PrivateKey.generate()
    key = other.public_key().public_bytes_raw()
    stolen = body[:36] + key + body[68:132] + other.sign(b"")
    with pytest.raises(Refused) as no:
        decode_enrolment(stolen, GATEWAY)
    assert no.value.reason == "token"


def test_the_answer_to_an_enrolment_is_bound_to_it_and_to_the_gateway():
    body = encode_enrolment(TOKEN, KEY)
    answer = encode_enrolled(body, SALT, b"e" * 16, SERVER)
    server, epoch = decode_enrolled(answer, body, GATEWAY)
    assert (server, epoch) == (SERVER.public_key().public_bytes_raw(), b"e" * 16)
    for about in ((body[:-1] + b"x", GATEWAY), (body, bytes(16))):
        with pytest.raises(Refused) as no:
            decode_enrolled(answer, *about)
        assert no.value.reason == "forged"
    evil = encode_enrolled(body, SALT, b"e" * 16, KEY)
    with pytest.raises(Refused, match="another gateway answered"):
        decode_enrolled(evil, body, GATEWAY)


@given(st.data())
def test_an_answer_to_an_enrolment_that_was_changed_anywhere_is_refused(data):
    body = encode_enrolment(TOKEN, KEY)
    answer = bytearray(encode_enrolled(body, SALT, b"e" * 16, SERVER))
    answer[data.draw(st.integers(0, len(answer) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((DecodeError, Refused)):
        decode_enrolled(bytes(answer), body, GATEWAY)


# --- refusals


@given(st.sampled_from(sorted(REFUSALS)), st.text(max_size=400), st.floats(0, 100))
def test_a_refusal_comes_back(reason, text, seconds):
    body = encode_refusal(No(reason, text, seconds=seconds))
    found = decode_refusal(status_of(reason), body)
    assert (found.reason, found.again, found.seconds) == (reason, REFUSALS[reason][1], seconds)
    assert found.text.isprintable() or not found.text


@given(st.integers(100, 599), st.one_of(st.binary(max_size=60), st.just(b"[" * 2000)))
def test_anything_else_counts_by_its_status_alone(status, body):
    found = decode_refusal(status, body)
    assert found.reason == f"http {status}"
    assert found.again == (status >= 500 or status in (408, 425, 429))


@pytest.mark.parametrize("seconds", ["1e999", "1" + "0" * 400, "-5", "NaN", '"soon"', "null", "[]"])
def test_a_hostile_pause_is_bounded(seconds):
    body = b'{"error": "busy", "text": "x", "seconds": ' + seconds.encode() + b"}"
    assert 0.0 <= decode_refusal(429, body).seconds <= 3600.0


# --- known bytes


def test_the_format_is_the_documented_one():
    """What stands in docs/gateway.md; a change here is another format."""
    assert wire.encode_parts([b"ab", b"", b"c"]).hex() == (
        "4247503103000000" "020000000000000001000000" "616263"
    )  # fmt: skip
    assert wire.encode_answer(258, b"x").hex() == (
        "4247503102000000" "0800000001000000" "0201000000000000" "78"
    )  # fmt: skip
    assert wire.encode_wait(20_000).hex() == "204e0000"
    assert GATEWAY.hex() == "f77df9064ea668c5a350ead4dd974fa6"
    assert node_of(GATEWAY, KEY.public_key().public_bytes_raw()) == 1267876894039743599
    assert TOKEN.text == "9335Bk6maMWjUOrU3ZdPphAREhMUFRYXGBkaGxwdHh8"
    stamp = sign(Stamp(5, 7, bytes(16)), BASE, GATEWAY, KEY)
    assert stamp.header() == (
        "Baffle 0105000000000000000700000000000000000000000000000000000000000000"
        "006a3e9cd9d4a659cfa1f9451d9cf03c4c14bfb7f9555960b037c793caeb0afe"
        "5ea789ccb7fddfd7aa39040f6ba9acabeb93e8b6842c28d3cf341ded18574cbf"
        "0f"
    )
    assert (
        _hash(encode_enrolment(TOKEN, KEY))
        == "0ffd1aee62e9ec130c4b42ea4790880e85abe5e59aae49ce05e16a854b6278c6"
    )
    assert (
        _hash(encode_enrolled(b"request", SALT, bytes(16), SERVER))
        == "1fc8dca28f2e4c2bfaa431800ca5583d95b88234a3737c561dd443fae35d68dd"
    )


def _hash(data):
    return hashlib.sha256(data).hexdigest()
