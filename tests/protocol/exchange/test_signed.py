"""Signed asks: only the server's, only to their receiver, only as they were sent."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from baffle.errors import DecodeError, Refused
from baffle.protocol.exchange.signed import (
    ENVELOPE_BYTES,
    MAX_NODE,
    Pin,
    open_ask,
    public_bytes,
    sign_ask,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
nodes = st.integers(0, MAX_NODE)


def test_golden():
    # RFC 8032's Ed25519 is deterministic: one key, one receiver, one ask, one envelope.
    signed = sign_ask(b"ask", 258, KEY)
    assert signed.hex() == (
        "503b6671e52eb6ab7d4e49a0140ebe8b0e7d5a12959481e3f72ff4786169e7c642920e205cc522bb"
        "d0dfa11418c6144c1eeb906b3cfb104a9e848b8b0f62e20a03a107bff3ce10be1d70dd18e74bc099"
        "67e4d6309ba50d5f1ddc8664125531b861736b"
    )


@given(st.binary(max_size=200), nodes)
def test_it_opens_for_its_receiver(ask, node):
    signed = sign_ask(ask, node, KEY)
    assert len(signed) == len(ask) + ENVELOPE_BYTES
    assert open_ask(signed, node) == (ask, public_bytes(KEY))


@given(st.binary(min_size=1, max_size=60), nodes, nodes)
def test_another_receiver_refuses_it(ask, node, other):
    if node != other:
        with pytest.raises(Refused, match="without its server's signature"):
            open_ask(sign_ask(ask, node, KEY), other)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_flipped_bit_is_refused(ask, data):
    signed = bytearray(sign_ask(ask, 7, KEY))
    place = data.draw(st.integers(0, 8 * len(signed) - 1))
    signed[place // 8] ^= 1 << place % 8
    with pytest.raises(Refused) as no:
        open_ask(bytes(signed), 7)
    assert no.value.reason == "forged"


@given(st.binary(max_size=ENVELOPE_BYTES - 1))
def test_what_is_too_short_is_none(data):
    with pytest.raises(DecodeError, match=f"expected at least {ENVELOPE_BYTES} bytes"):
        open_ask(data, 0)


def test_a_configured_pin_wins_over_what_a_run_began_with():
    mine, other = public_bytes(KEY), public_bytes(Ed25519PrivateKey.generate())
    Pin(mine).require(mine, None)
    Pin(mine).require(mine, other)
    Pin().require(other, None)
    Pin().require(other, other)
    for pin, key, known in ((Pin(mine), other, other), (Pin(), other, mine)):
        with pytest.raises(Refused, match=f"expected an ask under the key {mine.hex()[:16]}"):
            pin.require(key, known)
