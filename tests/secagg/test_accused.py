"""Clients that lie about shares are named for the next roster, and nobody else can be made so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from baffle.secagg import Abandoned, SecureSpec, SecureSum, dealing, parameters, unmask, wire
from baffle.secagg.group import Group as Server
from tests.secagg.federation import RUN, SPEC, Group

N = 8
C = parameters(N, SPEC).colluding
TEN = 2 + 8  # of an answer's bytes, before its body


def spoilt(answer: bytes, pairs) -> bytes:
    """Return a share answer whose sealed pairs at these places in the row do not open."""
    found = bytearray(answer)
    for i in pairs:
        found[TEN + 64 + 80 * i] ^= 1
    return bytes(found)


def sealing_nonsense(liar: int, pairs):
    def change(stage, client, answer):
        return spoilt(answer, pairs) if (stage, client) == ("share", liar) else answer

    return change


def test_who_seals_nonsense_is_accused():
    result = Group(N).run(change=sealing_nonsense(2, range(N - 1)))
    assert isinstance(result, Abandoned)
    assert result.reason == "masks"
    assert result.accused.keys() == {2}
    reason, sentence = result.accused[2]
    assert (reason, sentence) == (
        "cipher", "client 2: what it sealed for 0, 1, 3, 4, 5 and 2 more does not open",
    )  # fmt: skip


def test_who_seals_nonsense_for_a_few_is_accused_though_the_sum_is_opened():
    spec = replace(SPEC, dropout=0.3)
    result = Group(N, spec=spec).run(change=sealing_nonsense(2, range(C + 1)))
    assert isinstance(result, SecureSum)
    assert result.accused.keys() == {2}
    assert {reason for reason, _ in result.refused.values()} == {"cipher"}
    assert len(result.refused) == C + 1


def complaining(about: int, by):
    """Let clients complain about one who did nothing."""

    def change(stage, client, answer):
        if stage != "mask" or client not in by:
            return answer
        return change.complaint

    return change


def context_of(group: Group) -> bytes:
    return Server(wire.Terms(RUN, group.round), group.spec, group.adverts()).context


@pytest.mark.parametrize(("liars", "accused"), [(C, set()), (C + 1, {5})])
def test_colluders_who_accuse_an_honest_client_do_not_expel_it(liars, accused):
    group = Group(N, spec=replace(SPEC, dropout=0.3))
    change = complaining(5, range(liars))
    change.complaint = wire.encode_complaint(context_of(group), 5)
    result = group.run(change=change)
    assert isinstance(result, SecureSum)
    assert result.accused.keys() == accused
    assert result.participants == tuple(range(liars, N))


def test_where_no_collusion_is_assumed_one_client_expels_nobody():
    group = Group(N, spec=SecureSpec(min_group=2, collusion=0.0, dropout=0.3))
    change = complaining(5, range(1))
    change.complaint = wire.encode_complaint(context_of(group), 5)
    assert group.run(change=change).accused == {}


@pytest.mark.parametrize("about", [0, N, 2**32 - 1])
def test_a_complaint_about_oneself_or_nobody_is_refused(about):
    group = Group(N)
    change = complaining(about, {0})
    change.complaint = wire.encode_complaint(context_of(group), about)
    result = group.run(change=change)
    assert result.refused[0][0] == "context"
    assert result.accused == {}


def test_a_complaint_of_another_context_or_length_is_refused():
    group = Group(N)
    whole = wire.encode_complaint(context_of(group), 5)
    assert whole.hex() == "a701" + context_of(group)[:8].hex() + "05000000"
    for sent, reason in ((whole[:-1], "bytes"), (wire.encode_complaint(bytes(32), 5), "context")):
        change = complaining(5, {0})
        change.complaint = sent
        assert Group(N).run(change=change).refused[0][0] == reason


def dealing_wrong_shares(group: Group, liar: int, wrong) -> Group:
    """Let a client deal what `wrong` makes of its honest shares."""
    real = group.answer

    def answer(stage, client, ask):
        if (stage, client) != ("share", liar):
            return real(stage, client, ask)
        honest = dealing.share_out
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dealing, "share_out", lambda *a: wrong(honest(*a)))
            return real(stage, client, ask)

    group.answer = answer
    return group


DEALT = {
    "all the same": lambda shares: [bytes([7]) * 64 for _ in shares],
    "all but t": lambda shares: (
        [s if i < 5 else bytes(64) for i, s in enumerate(shares[::2])]
        + [bytes(64)] * (len(shares) // 2)
    ),
    "in another order": lambda shares: shares[::-1],
}


@pytest.mark.parametrize("wrong", DEALT)
@pytest.mark.parametrize("gone", [set(), {2}])
def test_who_dealt_wrong_shares_is_accused(wrong, gone):
    result = dealing_wrong_shares(Group(N), 2, DEALT[wrong]).run({"mask": gone})
    assert isinstance(result, Abandoned)
    assert result.reason == "secret"
    assert result.accused.keys() == {2}
    assert result.accused[2][0] == "secret"


def test_who_promised_another_secret_is_accused():
    def change(stage, client, answer):
        if (stage, client) != ("share", 2):
            return answer
        return answer[: TEN + 32] + bytes(32) + answer[TEN + 64 :]

    result = Group(N).run(change=change)
    assert isinstance(result, Abandoned)
    assert result.accused.keys() == {2}


def lying(group: Group, liars, about=5) -> Group:
    """Let clients hand in wrong shares of another's secret, under right seals."""
    real = group.answer

    def answer(stage, client, ask):
        if stage != "unmask" or client not in liars:
            return real(stage, client, ask)
        session = group.wallets[client].current()
        peers = tuple(
            replace(p, self_share=bytes([client + 1]) + p.self_share[1:]) if p.place == about else p
            for p in session.peers
        )
        after, found = unmask(group.wallets[client].after(replace(session, peers=peers)), ask)
        group.wallets[client] = after
        return found

    group.answer = answer
    return group


def test_colluders_who_lie_about_an_honest_clients_shares_do_not_expel_it():
    """With c = 3 of 16 in every window of 10, its secret is found all the same."""
    spec = SecureSpec(min_group=2, collusion=0.15, dropout=0.0)
    assert (parameters(16, spec).colluding, parameters(16, spec).threshold) == (3, 10)
    result = lying(Group(16, spec=spec), {0, 6, 11}).run()
    assert isinstance(result, SecureSum)
    assert np.array_equal(result.values, Group(16).plain(range(16)))
    assert result.accused == {}
    assert result.refused.keys() == {0, 6, 11}


def test_where_too_few_shares_are_there_to_tell_nobody_is_accused():
    result = lying(Group(4), {0}, about=1).run()
    assert isinstance(result, Abandoned)
    assert result.reason == "secret"
    assert result.accused == {}
    assert "or its neighbours sent wrong ones" in result.sentence


def test_wrong_shares_are_got_around_also_where_they_would_prove_nothing():
    """Of 32 clients 2 may lie; with 11 away that is not decided, but found all the same."""
    spec = SecureSpec(min_group=2, collusion=0.05, dropout=0.3)
    group = lying(Group(32, spec=spec), {0, 20})
    numbers = parameters(32, spec)
    away = set(range(32 - (31 - numbers.threshold - 4), 32))
    result = group.run({"unmask": away})
    assert isinstance(result, SecureSum)
    assert result.refused.keys() == {0, 20}


def test_deciding_has_a_limit(monkeypatch):
    monkeypatch.setattr("baffle.secagg.group.MOST_WORK", 40)
    result = dealing_wrong_shares(Group(N), 2, DEALT["all the same"]).run()
    assert isinstance(result, Abandoned)
    assert result.accused == {}
