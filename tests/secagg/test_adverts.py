"""What a client says of itself: one encoding, and every change of it is noticed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.errors import DecodeError, Refused
from baffle.secagg import Own, Wallet, advert, decode_advert, encode_advert
from baffle.secagg.keys import ADVERT_BYTES, mask_key
from tests.secagg.federation import RUN, Group, wallet_of

GOLDEN = Path(__file__).parent / "golden"


def test_there_and_back():
    found = advert(wallet_of(3), RUN, 3)
    data = encode_advert(found)
    assert len(data) == ADVERT_BYTES == 170
    assert decode_advert(data) == found
    found.verify(RUN)
    found.verify(RUN, found.identity)


def test_the_keys_of_a_client_are_functions_of_its_private_bytes():
    a, b = Own.of(bytes(32), RUN, 1), Own.of(b"\1" + bytes(31), RUN, 1)
    assert a.identity != b.identity
    assert a.channel != b.channel
    assert a.mask_public(0) != b.mask_public(0)
    assert len({a.mask_public(label) for label in range(20)}) == 20
    assert a.mask_public(0) != Own.of(bytes(32), bytes(16), 1).mask_public(0)
    assert mask_key(a.mask_secret(5)).public_key().public_bytes_raw() == a.mask_public(5)


@pytest.mark.parametrize("at", range(0, 138, 3))
def test_a_change_in_what_is_signed(at):
    """Type, version, number, identity, channel, signature. Label and mask key are the context's."""
    data = bytearray(encode_advert(advert(wallet_of(3), RUN, 3)))
    data[at] ^= 1
    if 6 <= at < 10:
        return decode_advert(bytes(data)).verify(RUN)  # the label
    with pytest.raises((DecodeError, Refused)) as caught:
        decode_advert(bytes(data)).verify(RUN)
    assert at < 2 or caught.value.reason == "signature"
    return None


def test_another_runs_signature():
    with pytest.raises(Refused, match="client 3: its channel key is not signed"):
        advert(wallet_of(3), RUN, 3).verify(bytes(16))


def test_a_known_identity():
    with pytest.raises(Refused, match="client 3: expected the identity key 0000"):
        advert(wallet_of(3), RUN, 3).verify(RUN, bytes(32))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_advert(data):
    with pytest.raises(DecodeError):
        decode_advert(data)


def test_the_last_label():
    found = replace(advert(wallet_of(3), RUN, 3), label=2**32 - 1)
    with pytest.raises(DecodeError, match="label"):
        decode_advert(encode_advert(found))


@pytest.mark.parametrize(("private", "run"), [(bytes(31), RUN), (bytes(32), bytes(15))])
def test_other_lengths(private, run):
    with pytest.raises(DecodeError, match="expected 32 private bytes"):
        Own.of(private, run, 0)
    if len(private) != 32:
        with pytest.raises(DecodeError):
            Wallet(private)


def test_golden_messages():
    """Every message of one small sum, byte for byte: another version of any is another format."""
    group = Group(3)
    first = [encode_advert(a).hex() for a in group.adverts()]
    group.run({"unmask": set()})
    lines = [f"advert {c} {data}" for c, data in enumerate(first)]
    for stage in ("share", "mask", "unmask"):
        for client in range(3):
            lines.append(f"{stage} ask {client} {group.asked[stage, client].hex()}")
            lines.append(f"{stage} answer {client} {group.answered[stage, client].hex()}")
    lines.append(f"wallet 0 {group.wallets[0].to_bytes().hex()}")
    found = "\n".join(lines) + "\n"
    assert found == (GOLDEN / "three_clients.txt").read_text()
