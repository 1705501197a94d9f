"""Rosters that a client does not go along with, and keys that nobody can agree with."""

import time
from dataclasses import replace

import pytest

from baffle.errors import ConfigError, DecodeError, Refused
from baffle.secagg import SecureSpec, Terms, advert, parameters, share, wire
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
