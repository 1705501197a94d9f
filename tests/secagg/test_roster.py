"""Rosters that a client does not go along with, and keys that nobody can agree with."""

import time
from dataclasses import replace

import pytest

from baffle.errors import ConfigError, DecodeError, Refused
from baffle.secagg import Own, SecureSpec, Terms, advert, dealing, parameters, share, wire
from baffle.secagg.keys import require_usable
from tests.secagg.federation import RUN, SPEC, wallet_of
from tests.secagg.test_refusals import ask_for

N = 6
ADVERTS = [advert(wallet_of(n), RUN, n) for n in range(N)]


def test_a_roster_that_names_someone_twice_is_refused():
    """n would count one client for two, and the sum could be of fewer than it seems."""
    twice = [*ADVERTS[:-1], ADVERTS[-2]]
    with pytest.raises(Refused, match="everyone must stand there once") as refused:
        share(wallet_of(0), RUN, 0, SPEC, ask_for(twice))
    assert refused.value.reason == "roster"


def test_a_length_that_lies_is_refused_before_anything_is_computed():
    heavy = SecureSpec(collusion=0.3, dropout=0.3, failure_bits=80)
    roster = wire.Roster(Terms(RUN, 0, 0, 1), (bytes(32),) * 4)
    ask = bytearray(wire.encode_share_ask(roster, []))
    at = ask.index((4).to_bytes(4, "little"), 20)
    ask[at : at + 4] = (2**14).to_bytes(4, "little")
    began = time.process_time()
    with pytest.raises(DecodeError, match="for 16384 members"):
        wire.decode_share_ask(bytes(ask), heavy)
    assert time.process_time() - began < 0.5


def test_who_assumes_too_much_is_told_to_form_smaller_groups():
    with pytest.raises(ConfigError, match="form smaller groups"):
        parameters(2000, SecureSpec(collusion=0.3, dropout=0.3, failure_bits=80))


def test_keys_of_small_order_are_the_fault_of_whose_they_are():
    require_usable(ADVERTS[0].mask, "it")
    ADVERTS[0].require_usable()
    for field in ("mask", "channel"):
        with pytest.raises(Refused, match="small order") as refused:
            replace(ADVERTS[0], **{field: bytes(32)}).require_usable()
        assert refused.value.reason == "key"


@pytest.mark.parametrize("name", ["min_group", "failure_bits"])
def test_numbers_that_are_counts_are_whole(name):
    with pytest.raises(ConfigError, match=f"expected a whole number as {name}"):
        SecureSpec(**{name: 20.5})


def test_groups_up_to_190_have_more_certainty_than_the_default_asks():
    """The other conditions want so many neighbours that 2^-80 comes of itself."""
    for members in range(3, 191):
        found, surer = (parameters(members, SecureSpec(failure_bits=b)) for b in (40, 80))
        assert replace(found, failure_bits=0) == replace(surer, failure_bits=0)


def test_who_is_greeted_under_two_numbers_is_two_in_no_sum():
    """Else one of the two vanishes and the other stays, and both secrets of one client are open."""
    wallet = wallet_of(3)
    twice = [*ADVERTS[:4], advert(wallet, RUN, 4)]
    assert twice[3].mask != twice[4].mask
    for place, number in ((3, 3), (4, 4)):
        with pytest.raises(Refused, match="two members with one identity key") as refused:
            share(wallet, RUN, number, SPEC, ask_for(twice, place))
        assert refused.value.reason == "roster"


def test_a_wallet_serves_one_number():
    wallet, _ = share(wallet_of(3), RUN, 3, SPEC, ask_for(ADVERTS, 3))
    other = [*ADVERTS[:4], advert(wallet, RUN, 4), ADVERTS[5]]
    with pytest.raises(Refused, match="serves client 3, and is asked as client 4") as refused:
        share(wallet, RUN, 4, SPEC, ask_for(other, 4, round_=9))
    assert refused.value.reason == "number"


@pytest.mark.parametrize("secret", ["mask_secret", "self_secret", "share_out", "opening_shares"])
def test_all_secrets_of_a_sum_are_bound_to_the_number(secret):
    three, four = (Own.of(bytes(32), RUN, n) for n in (3, 4))
    made = {
        "mask_secret": lambda own: own.mask_secret(0),
        "self_secret": lambda own: dealing.self_secret(own, bytes(32)),
        "share_out": lambda own: dealing.share_out(own, 0, bytes(32), 3, [1, 2, 3, 4]),
        "opening_shares": lambda own: dealing.opening_shares(own, bytes(32), 3, [1, 2, 3, 4]),
    }[secret]
    assert made(three) != made(four)
