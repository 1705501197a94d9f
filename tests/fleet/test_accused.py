"""A client that lies in secure sums costs one round, and the run goes on without it."""

from dataclasses import replace

import pytest

from baffle.protocol.exchange import Masked, decode_answer, encode_answer
from baffle.secagg import Wallet, dealing, sharing
from baffle.secagg.wallet import running
from baffle.secagg.wire import MASK_ANSWER, encode_complaint

OTHERS = (0, 1, 3, 4, 5, 6, 7)


def seal_nonsense(patch):
    honest = sharing._seal

    def seal(own, *rest):
        peers, sealed = honest(own, *rest)
        return (peers, [bytes(len(s)) for s in sealed]) if own.number == 2 else (peers, sealed)

    patch.setattr(sharing, "_seal", seal)


def deal_nonsense(patch):
    honest = dealing.share_out
    patch.setattr(
        dealing, "share_out",
        lambda own, *rest: [bytes([7]) * 64 if own.number == 2 else s for s in honest(own, *rest)],
    )  # fmt: skip


def promise_another(patch):
    honest = dealing.self_secret
    number = {}

    def secret(own, context):
        number["now"] = own.number
        return honest(own, context)

    commitment = dealing.commitment
    patch.setattr(dealing, "self_secret", secret)
    patch.setattr(
        sharing.dealing, "commitment",
        lambda b, context: commitment(b ^ (number.pop("now", None) == 2), context),
    )  # fmt: skip


@pytest.mark.parametrize("lie", [seal_nonsense, deal_nonsense, promise_another])
def test_a_liar_costs_one_round(made, monkeypatch, lie):
    lie(monkeypatch)
    fleet = made(clients=8)
    assert fleet.round().outcome.abandoned
    for _ in range(3):
        assert fleet.round().participants == OTHERS
    assert fleet.faults == {"accused": 1}
    [told] = [e for e in fleet.c.tally.drain() if e.fields.get("reason") == "accused"]
    assert told.fields["node"] == 102
    assert "client 2: " in told.fields["text"]


def test_a_liar_that_starts_later_costs_one_round(made, monkeypatch):
    """The next round, whose secrets it shares already, is shared for anew."""
    fleet = made(clients=8)
    assert len(fleet.round().participants) == 8
    deal_nonsense(monkeypatch)
    left = [fleet.round() for _ in range(4)]
    assert [c.outcome.abandoned for c in left].count(True) == 1
    assert left[-1].participants == OTHERS
    assert fleet.faults == {"accused": 1}


def test_a_liar_that_spoils_no_sum_is_left_out_as_well(made, monkeypatch):
    fleet = made(clients=8, secure={"dropout": 0.3})
    honest = sharing._seal

    def seal(own, *rest):
        peers, sealed = honest(own, *rest)
        bad = 2 if own.number == 2 else 0
        return peers, [bytes(len(s)) if i < bad else s for i, s in enumerate(sealed)]

    monkeypatch.setattr(sharing, "_seal", seal)
    assert fleet.round().participants == (2, 3, 4, 5, 6, 7)
    assert fleet.round().participants == OTHERS
    assert fleet.faults == {"accused": 1}
    complaints = [e.fields for e in fleet.c.tally.drain() if e.name == "complaint"]
    assert [c["client"] for c in complaints] == [0, 1]
    assert "client 2 sealed" in complaints[0]["text"]


def complain(fleet, about, by):
    """Let clients complain of another, with the seal that is theirs."""
    for number in by:
        peer = fleet.peers[100 + number]

        def handle(parts, peer=peer, honest=peer.handle, number=number):
            data = honest(parts)
            found = decode_answer(data, peer.run)
            if not isinstance(found, Masked) or found.messages[0][0] != MASK_ANSWER:
                return data
            wallet = Wallet.from_bytes(fleet.stores[number].wallets[peer.run])
            lie = replace(found, messages=(encode_complaint(running(wallet).context, about),))
            sent = fleet.c._sent[number].context
            return encode_answer(lie.sealed(peer._tag, sent), peer.run)

        peer.handle = handle


@pytest.mark.parametrize(("liars", "expelled"), [((0,), False), ((0, 1), True)])
def test_one_colluder_of_eight_expels_nobody(made, liars, expelled):
    fleet = made(clients=8, secure={"dropout": 0.3})
    complain(fleet, 5, liars)
    assert fleet.round().participants == tuple(n for n in range(8) if n not in liars)
    assert fleet.c.accused == ({5} if expelled else set())
    assert fleet.faults == ({"accused": 1} if expelled else {})


def test_a_server_that_starts_again_asks_a_liar_once_more(made, monkeypatch):
    fleet = made(clients=8)
    deal_nonsense(monkeypatch)
    fleet.round()
    assert fleet.c.accused == {2}
    fleet.home.restart()
    fleet.look(1.0)
    assert fleet.c.accused == set()
    assert fleet.round().outcome.abandoned
    assert fleet.round().participants == OTHERS


def test_a_client_that_complains_is_asked_again_in_the_next_round(made, monkeypatch):
    """What was sealed for one client does not open: that one is missed, and nobody expelled."""
    fleet = made(clients=8)
    honest = sharing._seal

    def seal(own, *rest):
        peers, sealed = honest(own, *rest)
        return peers, [bytes(80), *sealed[1:]] if own.number == 2 else sealed

    monkeypatch.setattr(sharing, "_seal", seal)
    assert fleet.round().participants == tuple(range(1, 8))
    assert fleet.c.accused == set()
    monkeypatch.setattr(sharing, "_seal", honest)
    fleet.round()
    assert fleet.round().participants == tuple(range(8))


def test_a_complaint_is_given_again_with_the_same_bytes(made, monkeypatch):
    fleet = made(clients=8)
    seal_nonsense(monkeypatch)
    fleet.lost = {("mask", 3)}
    fleet.open()
    fleet.lost = set()
    [ask] = fleet.c.remind(fleet.now + 21.0)
    first = fleet.peers[103].handle(ask.parts)
    assert decode_answer(first).messages[0][0] == 0xA7
    fleet.restart_client(3)
    assert fleet.peers[103].handle(ask.parts) == first
