"""Clients that lie in the last stage: got around and named where t honest ones are left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.secagg import Abandoned, Lanes, Own, SecureSum, dealing, unmask
from baffle.secagg.opening import recover, windows
from baffle.secagg.shamir import PRIME, deal
from tests.secagg.federation import Group, wallet_of


@given(st.integers(1, 12), st.integers(0, 8), st.data())
@settings(max_examples=50, deadline=None)
def test_one_wrong_share_is_found(t, more, data):
    xs = list(range(1, t + more + 1))
    secret = data.draw(st.integers(0, PRIME - 1))
    points = dict(zip(xs, deal(secret, list(range(5, 4 + t)), xs, PRIME), strict=True))
    liar = data.draw(st.sampled_from(xs))
    points[liar] = (points[liar] + 1) % PRIME
    found = recover(points, t, lambda value: value == secret)
    if more:
        right, named = found
        assert right == secret
        assert named in ([], [liar])  # unnamed only if it was never needed
    else:
        assert found is None


def test_windows_go_round():
    points = dict.fromkeys([5, 2, 9], 0)
    assert list(windows(points, 2)) == [[2, 5], [5, 9], [2, 9]]
    assert list(windows(points, 3)) == [[2, 5, 9]]
    assert list(windows(points, 4)) == []


def lying_in_shares(group: Group, liar: int):
    """Let one client hand in wrong shares under a right seal."""

    def answer(stage, client, ask):
        if (stage, client) != ("unmask", liar):
            return Group.answer(group, stage, client, ask)
        wallet = group.wallets[client]
        session = wallet.current()
        wrong = tuple(replace(p, self_share=b"\1" + p.self_share[1:]) for p in session.peers)
        after, found = unmask(wallet.after(replace(session, peers=wrong)), ask)
        group.wallets[client] = after
        return found

    group.answer = answer
    return group


def test_a_client_with_wrong_shares_is_named():
    group = lying_in_shares(Group(8), 0)
    result = group.run()
    assert isinstance(result, SecureSum)
    assert np.array_equal(result.values, group.plain(range(8)))
    assert result.refused[0][0] == "share"
    assert set(result.refused) == {0}


def test_wrong_shares_and_nobody_to_spare():
    group = lying_in_shares(Group(8), 0)
    t = 5
    result = group.run({"unmask": set(range(t + 1, 8))})
    assert isinstance(result, Abandoned)
    assert result.reason == "secret"
    assert result.sentence.startswith("client ")


def test_a_client_who_dealt_wrong_shares_of_its_mask_key():
    """It shares another secret than its key's, and goes: its masks cannot be taken away."""
    group = Group(6)
    other = wallet_of(0, seed=9)

    def answer(stage, client, ask, real=group.answer):
        if (stage, client) != ("share", 2):
            return real(stage, client, ask)
        honest = dealing.share_out

        def wrong(own, label, context, t, xs):
            swapped = honest(Own.of(other.private, own.run, own.number), label, context, t, xs)
            mine = honest(own, label, context, t, xs)
            return [a[:32] + b[32:] for a, b in zip(mine, swapped, strict=True)]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dealing, "share_out", wrong)
            return real(stage, client, ask)

    group.answer = answer
    result = group.run({"mask": {2}})
    assert isinstance(result, Abandoned)
    assert result.reason == "secret"
    assert "client 2" in result.sentence


def test_a_client_who_masks_more_than_its_bound(monkeypatch):
    """It can only be seen in the sum, and only if the sum leaves its range; see docs/privacy.md."""
    group = Group(3)
    for values in group.values.values():
        values[:] = 120 if values is not group.values[2] else 0
    group.values[2] = group.values[2] + 400
    monkeypatch.setattr(Lanes, "check", _lenient(Lanes.check))
    result = group.run()
    assert isinstance(result, Abandoned)
    assert result.reason == "range"


def _lenient(honest):
    def check(self, vector, parts=1):
        if parts > 1:
            honest(self, vector, parts)

    return check
