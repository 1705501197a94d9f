"""What a client does not do, whoever asks: by name, and leaving its wallet as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.errors import BoundError, DecodeError, Refused
from baffle.secagg import (
    Own,
    SecureSpec,
    Terms,
    advert,
    encode_advert,
    least,
    mask,
    members,
    parameters,
    share,
    unmask,
    wire,
)
from baffle.secagg.graph import adjacency
from baffle.secagg.keys import _binding
from baffle.secagg.masks import derive
from tests.secagg.federation import LANES, PLAN, RUN, SPEC, Group, wallet_of

N = 6


def ask_for(adverts, place=0, round_=3, run=RUN, group=0, groups=1, spec=SPEC) -> bytes:
    """Return a share ask as an honest server makes it, of any adverts."""
    roster = wire.Roster(Terms(run, round_, group, groups), tuple(a.leaf for a in adverts))
    k = parameters(len(adverts), spec).neighbours
    row = adjacency(roster.graph_seed, len(adverts), k)[place]
    return wire.encode_share_ask(roster, [encode_advert(adverts[i]) for i in row])


def refused(reason: str, call, *args) -> str:
    with pytest.raises(Refused) as caught:
        call(*args)
    assert caught.value.reason == reason, caught.value
    return str(caught.value)


def masked(n=N) -> tuple[Group, bytes]:
    """Return a group that was asked to unmask, and client 0's ask."""
    group = Group(n)
    return group, group.until("unmask").to[0]


def bits(*places, n=N) -> bytes:
    return wire.encode_bitmap(np.isin(np.arange(n), places))


# -- share


def test_another_run():
    adverts = Group(N).adverts()
    ask = ask_for(adverts, run=bytes(16))
    assert "not ours" in refused("run", share, wallet_of(0), RUN, 0, SPEC, ask)


def test_a_wallet_serves_one_run():
    """Else a round could be masked twice, with another run in between."""
    group = Group(N)
    group.run()
    run = bytes(16)
    adverts = [advert(group.wallets[client], run, client) for client in range(N)]
    said = refused("run", share, group.wallets[0], run, 0, SPEC, ask_for(adverts, run=run))
    assert "serves no other" in said


def test_a_round_that_is_past():
    group = Group(N)
    group.run()
    ask = ask_for(group.adverts(), round_=2)
    refused("round", share, group.wallets[0], RUN, 0, SPEC, ask)


def test_a_second_sum_of_one_round():
    group = Group(N)
    group.until("unmask")
    ask = ask_for(group.adverts(), round_=3)  # with everyone's new keys
    said = refused("masked", share, group.wallets[0], RUN, 0, SPEC, ask)
    assert "tell the two apart" in said


def test_a_round_that_only_got_as_far_as_shares_may_begin_again():
    group = Group(N)
    group.until("mask")
    result = group.run()
    assert result.participants == tuple(range(N))


def test_a_spent_key():
    group = Group(N)
    old = group.adverts()
    group.until("mask")
    ask = ask_for(old, round_=4)
    said = refused("spent", share, group.wallets[0], RUN, 0, SPEC, ask)
    assert "mask key 0 is spent, 1 is next" in said


def test_the_same_share_ask_again_gives_the_same_bytes_and_no_other_wallet():
    group = Group(N)
    group.until("mask")
    wallet, answer = share(group.wallets[0], RUN, 0, SPEC, group.asked["share", 0])
    assert answer == group.answered["share", 0]
    assert wallet == group.wallets[0]


@pytest.mark.parametrize("change", ["absent", "twice", "other twice", "order"])
def test_a_roster_that_is_none(change):
    adverts = Group(N).adverts()
    if change == "absent":
        adverts = adverts[1:]
    elif change == "twice":
        adverts = [adverts[0], *adverts]
    elif change == "other twice":
        adverts = [*adverts[:3], adverts[2], *adverts[3:]]
    else:
        adverts = [adverts[0], adverts[2], adverts[1], *adverts[3:]]
    refused("roster", share, wallet_of(0), RUN, 0, SPEC, ask_for(adverts))


@pytest.mark.parametrize("field", ["label", "mask", "channel", "identity", "signature"])
def test_a_roster_with_another_advert_of_ours(field):
    adverts = Group(N).adverts()
    value = getattr(adverts[0], field)
    other = value + 1 if field == "label" else bytes([value[0] ^ 1]) + value[1:]
    adverts[0] = replace(adverts[0], **{field: other})
    refused("roster", share, wallet_of(0), RUN, 0, SPEC, ask_for(adverts))


def test_too_small_a_group():
    ask = ask_for(Group(3).adverts())
    spec = SecureSpec(min_group=4)
    assert "4 to 16384" in refused("group", share, wallet_of(0), RUN, 0, spec, ask)


def test_an_advert_that_is_not_in_the_roster():
    adverts = Group(N).adverts()
    ask = bytearray(ask_for(adverts))
    ask[-1] ^= 1  # the last neighbour's mask key
    refused("neighbours", share, wallet_of(0), RUN, 0, SPEC, bytes(ask))


def test_adverts_in_another_order():
    adverts = Group(N).adverts()
    ask = ask_for(adverts)
    swapped = ask[:-340] + ask[-170:] + ask[-340:-170]
    refused("neighbours", share, wallet_of(0), RUN, 0, SPEC, swapped)


def test_a_sparse_graphs_other_neighbours():
    n, spec = 60, SecureSpec(min_group=2, collusion=0.02)
    adverts = Group(n).adverts()
    own = ask_for(adverts, 0, spec=spec)
    others = ask_for(adverts, 1, spec=spec)
    share(wallet_of(0), RUN, 0, spec, own)
    refused("neighbours", share, wallet_of(0), RUN, 0, spec, others)


def test_a_channel_key_that_its_owner_did_not_sign():
    adverts = Group(N).adverts()
    own = Own.of(bytes(32), RUN, 4)
    adverts[4] = replace(adverts[4], channel=own.channel)
    said = refused("signature", share, wallet_of(0), RUN, 0, SPEC, ask_for(adverts))
    assert "client 4" in said


def test_a_signature_of_another_run_or_number():
    adverts = Group(N).adverts()
    adverts[4] = replace(advert(wallet_of(4), bytes(16), 4), mask=adverts[4].mask)
    refused("signature", share, wallet_of(0), RUN, 0, SPEC, ask_for(adverts))
    adverts[4] = replace(advert(wallet_of(4), RUN, 7), number=4)
    refused("signature", share, wallet_of(0), RUN, 0, SPEC, ask_for(adverts))


def test_an_identity_that_is_known_to_be_another():
    group = Group(N)
    adverts = group.adverts()
    known = {a.number: a.identity for a in adverts}
    share(wallet_of(0), RUN, 0, SPEC, ask_for(adverts), known.get)
    adverts[4] = advert(wallet_of(4, seed=9), RUN, 4)  # well-formed, and someone else
    ask = ask_for(adverts)
    said = refused("identity", share, wallet_of(0), RUN, 0, SPEC, ask, known.get)
    assert "client 4" in said
    del known[4]
    share(wallet_of(0), RUN, 0, SPEC, ask, known.get)


def test_a_channel_key_of_small_order():
    own = Own.of(wallet_of(4).private, RUN, 4)
    signer = Ed25519PrivateKey.from_private_bytes(derive(own.private, "identity", RUN))
    adverts = Group(N).adverts()
    weak = bytes(32)
    adverts[4] = replace(adverts[4], channel=weak, signature=signer.sign(_binding(RUN, 4, weak)))
    said = refused("key", share, wallet_of(0), RUN, 0, SPEC, ask_for(adverts))
    assert "client 4" in said


# -- mask


def test_a_vector_before_anything_is_shared():
    refused("early", mask, wallet_of(0), b"", PLAN, LANES, np.zeros(7, dtype=np.int64))


def test_a_vector_out_of_bound_is_not_masked():
    group = Group(N)
    ask = group.until("mask").to[0]
    vector = group.values[0].copy()
    vector[0] = 128
    with pytest.raises(BoundError, match="±127"):
        mask(group.wallets[0], ask, PLAN, LANES, vector)


def test_what_a_neighbour_sealed_does_not_open():
    group = Group(N)
    ask = bytearray(group.until("mask").to[0])
    ask[-1] ^= 1
    said = refused("cipher", mask, group.wallets[0], bytes(ask), PLAN, LANES, group.values[0])
    assert "client 5 sealed for client 0" in said


def mask_ask(group: Group, *places: int) -> bytes:
    """Return client 0's mask ask for another list of sharers."""
    ask = group.asked["mask", 0]
    sealed = wire.pieces(ask[11:], wire.SEALED_BYTES)
    kept = [sealed[place - 1] for place in places if place]
    return ask[:10] + bits(*places) + b"".join(kept)


def test_lists_of_sharers_that_are_too_short_or_without_us():
    group = Group(N)
    group.until("mask")
    group.asked["mask", 0] = group.until("mask").to[0]
    for places in ((0, 1, 2, 3), (0, 4)):
        ask = mask_ask(group, *places)
        refused("few", mask, group.wallets[0], ask, PLAN, LANES, group.values[0])
    ask = mask_ask(group, 1, 2, 3, 4, 5)
    refused("sharers", mask, group.wallets[0], ask, PLAN, LANES, group.values[0])
    mask(group.wallets[0], mask_ask(group, 0, 1, 2, 3, 4), PLAN, LANES, group.values[0])


def test_one_round_is_masked_once():
    group, _ = masked()
    ask, wallet, vector = group.asked["mask", 0], group.wallets[0], group.values[0]
    after, answer = mask(wallet, ask, PLAN, LANES, vector)
    assert answer == group.answered["mask", 0]
    assert after == wallet
    refused("twice", mask, wallet, ask, b"another plan", LANES, vector)
    refused("twice", mask, wallet, ask, PLAN, LANES, -vector)
    other = mask_ask(group, 0, 1, 2, 3, 4)
    refused("twice", mask, wallet, other, PLAN, LANES, vector)


def test_nothing_is_masked_once_opened():
    group, ask = masked()
    wallet, _ = unmask(group.wallets[0], ask)
    refused("late", mask, wallet, group.asked["mask", 0], PLAN, LANES, group.values[0])


# -- unmask


def unmask_ask(group: Group, *places: int) -> bytes:
    return group.asked["unmask", 0][:10] + bits(*places)


def asked() -> Group:
    group, ask = masked()
    group.asked["unmask", 0] = ask
    return group


def test_nobody_is_opened_both_ways():
    group = asked()
    wallet, first = unmask(group.wallets[0], unmask_ask(group, 0, 1, 2, 3, 4))
    said = refused("opened", unmask, wallet, unmask_ask(group, 0, 1, 2, 3, 4, 5))
    assert "both secrets" in said
    after, again = unmask(wallet, unmask_ask(group, 0, 1, 2, 3, 4))
    assert (after, again) == (wallet, first)


def test_an_answer_is_repeated_after_the_next_round_has_begun():
    group = asked()
    ask = group.asked["unmask", 0]
    group.wallets[0], first = unmask(group.wallets[0], ask)
    for client in range(1, N):
        group.wallets[client], _ = unmask(group.wallets[client], unmask_ask(group, *range(N)))
    group.round = 4
    group.until("unmask")
    assert unmask(group.wallets[0], ask)[1] == first
    refused("context", unmask, group.wallets[0], unmask_ask(group, 0, 1, 2, 3, 4))


def test_lists_of_survivors():
    group = asked()
    refused("few", unmask, group.wallets[0], unmask_ask(group, 0, 1, 2, 3))
    refused("sharers", unmask, group.wallets[0], unmask_ask(group, 1, 2, 3, 4, 5))
    with pytest.raises(DecodeError, match="padding"):
        unmask(group.wallets[0], group.asked["unmask", 0][:10] + b"\xff")


def test_a_survivor_who_never_shared():
    group = Group(N)
    group.run({"share": {5}, "unmask": {0}})
    ask = group.asked["unmask", 0]
    refused("sharers", unmask, group.wallets[0], ask[:10] + bits(0, 1, 2, 3, 4, 5))
    unmask(group.wallets[0], ask)


def test_shares_before_the_vector():
    group = Group(N)
    group.until("mask")
    refused("early", unmask, group.wallets[0], b"\xa6\x01" + bytes(9))
    refused("early", unmask, wallet_of(0), b"\xa6\x01" + bytes(9))


def test_what_a_caller_may_know():
    group = Group(N)
    group.until("mask")
    assert members(group.wallets[0]) == N
    assert least(group.wallets[0]) == 5
    refused("early", members, wallet_of(0))
