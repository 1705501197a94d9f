"""A client that starts again from its stored wallet gives the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.errors import DecodeError
from baffle.secagg import Wallet, mask, share, unmask
from baffle.secagg.keys import MAX_LABEL
from tests.secagg.federation import LANES, PLAN, RUN, SPEC, Group, wallet_of


def stored(wallet: Wallet) -> Wallet:
    return Wallet.from_bytes(wallet.to_bytes())


def test_each_stage_survives_a_restart():
    group = Group(5)
    group.run()
    wallet = wallet_of(2)
    calls = {
        "share": lambda w, ask: share(w, RUN, 2, SPEC, ask),
        "mask": lambda w, ask: mask(w, ask, PLAN, LANES, group.values[2]),
        "unmask": unmask,
    }
    for stage, call in calls.items():
        ask = group.asked[stage, 2]
        before = stored(wallet)
        wallet, answer = call(before, ask)
        assert answer == group.answered[stage, 2]
        assert call(stored(before), ask) == (wallet, answer)  # killed before it was stored
        assert call(stored(wallet), ask) == (wallet, answer)  # killed after
    assert stored(wallet) == group.wallets[2]


def test_secrets_are_wiped_once_used():
    group = Group(5)
    ask = group.until("unmask").to[0]
    shares = [peer.self_share for peer in group.wallets[0].current().peers]
    assert all(any(share) for share in shares)
    wallet, _ = unmask(group.wallets[0], ask)
    assert not any(share in wallet.session for share in shares)


def test_a_wallet_does_not_print_its_secrets():
    wallet = wallet_of(1)
    assert wallet.private.hex() not in repr(wallet)
    assert repr(wallet.private) not in repr(wallet)


def test_a_wallet_is_as_large_as_its_neighbours_make_it():
    group = Group(40)
    group.run()
    assert len(group.wallets[0].to_bytes()) < 9000


@given(st.binary(max_size=400))
def test_bytes_that_are_no_wallet(data):
    with pytest.raises(DecodeError):
        Wallet.from_bytes(data)


def test_every_cut_of_a_wallet_is_refused():
    group = Group(3)
    group.until("unmask")
    data = group.wallets[0].to_bytes()
    assert stored(group.wallets[0]).to_bytes() == data
    for cut in (*range(0, len(data), 7), len(data) - 1):
        with pytest.raises(DecodeError):
            Wallet.from_bytes(data[:cut])
    with pytest.raises(DecodeError):
        Wallet.from_bytes(data + b"\0")
    with pytest.raises(DecodeError, match="format 1, got 2"):
        Wallet.from_bytes(b"\2" + data[1:])


@pytest.mark.parametrize("wrong", [(bytes(31), 0), (bytes(32), -1), (bytes(32), MAX_LABEL + 1)])
def test_wallets_that_are_none(wrong):
    with pytest.raises(DecodeError, match="32 private bytes"):
        Wallet(*wrong)
