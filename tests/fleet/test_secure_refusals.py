"""What server and client refuse of secure sums, by name."""

import dataclasses

import pytest

from baffle.fleet import Demands, masking
from baffle.protocol import Client, decode_plan, encode_plan
from baffle.protocol.exchange import (
    Ask,
    Holds,
    Masked,
    Trouble,
    client_tag,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from baffle.secagg import Wallet, advert, encode_advert
from baffle.secagg.wire import SHARE_ASK
from tests.fleet.secure_world import STAGES
from tests.fleet.world import Home, MemoryStore, client_of, settings_of


def held_back(fleet, stage):
    """Open a round whose answers at a stage are held; returns them by node, with their asks."""
    fleet.lost = {(stage, n) for n in range(len(fleet.peers))}
    fleet.open()
    fleet.lost = set()
    out = fleet.c.remind(fleet.now + 21.0)
    return {o.node: (fleet.peers[o.node].handle(o.parts), decode_ask(o.parts[0])) for o in out}


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_anothers_answer_and_one_that_comes_twice_are_refused_by_name(made, stage):
    fleet = made(clients=5)
    held = held_back(fleet, stage)
    assert len(fleet.c.receive(100, held[101][0], fleet.now)) == 1  # who are you?
    assert fleet.faults == {"identity": 1}
    answer = decode_answer(held[100][0])
    run = fleet.home.genesis.run
    mine = dataclasses.replace(decode_answer(held[101][0]), client=0)
    assert fleet.c.receive(100, encode_answer(mine, run), fleet.now) == []  # asked already
    assert fleet.faults == {"identity": 1, "seal": 1}
    changed = dataclasses.replace(answer, messages=(answer.messages[0][:-1] + b"?",))
    fleet.c.receive(100, encode_answer(changed, run), fleet.now)
    assert fleet.faults == {"identity": 1, "seal": 2}
    for node in (100, 100, *list(held)[1:]):
        fleet.deliver(fleet.c.receive(node, held[node][0], fleet.now))
    assert fleet.faults == {"identity": 1, "seal": 2, "twice": 1}
    assert fleet.close().participants == tuple(range(5))


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_a_stale_answer_is_refused_by_name(made, stage):
    fleet = made(clients=5)
    fleet.round()
    old = {STAGES[a.sums[-1][0]]: data for node, data, a in fleet.answers if a.sums and node == 100}
    if stage != "share":
        held_back(fleet, stage)
    fleet.c.receive(100, old["share" if stage == "mask" else "mask"], fleet.now)
    assert fleet.faults == {"round": 1}
    assert fleet.c.round is None or fleet.c.round.late == 1


def test_a_member_with_anothers_keys_or_none_is_refused_and_the_others_go_on(made):
    fleet = made(clients=6)
    run, peer = fleet.home.genesis.run, fleet.peers[105]
    tag = client_tag(peer.identity.secret(fleet.home.genesis), run)
    wallet = Wallet(bytes(range(32)))
    anothers = encode_advert(advert(wallet, run, 0))
    forged = bytearray(encode_advert(advert(wallet, run, 5)))
    forged[42] ^= 1  # the channel key is not the one that is signed
    fleet.c.members.by_number[5].advert = None
    lies = ((anothers, {"peer": 1}), (None, {"decode": 1}), (bytes(forged), {"peer": 2}))
    for said, counted in lies:
        lie = Holds(tag, 5, None, advert=said)
        fleet.c._greetings._twice.add(105)
        fleet.c.receive(105, encode_answer(lie, run), fleet.now)
        assert fleet.faults.items() >= counted.items()
    assert fleet.c.members.by_number[5].advert is None
    assert fleet.round().participants == tuple(range(5))


def test_a_member_whose_mask_key_is_not_its_own_harms_one_round_at_the_most(made):
    """Its advert lies about the mask key: it refuses the roster, for it does not stand there."""
    fleet = made(clients=6)
    member = fleet.c.members.by_number[5]
    member.advert = dataclasses.replace(member.advert, mask=bytes([9]) + bytes(31))
    closed = fleet.round()
    assert closed.participants == tuple(range(5))
    assert fleet.faults == {"roster": 1}
    assert fleet.round().participants == tuple(
        range(5)
    )  # its shares were due before it was greeted
    assert fleet.round().participants == tuple(range(6))


def test_a_sum_that_honest_clients_cannot_have_is_not_used(made, monkeypatch):
    """A member may put anything into its lanes; what it does to the counts shows."""
    fleet = made(clients=5)
    honest = Client.contribution

    def hostile(self, form, *rest):
        found = honest(self, form, *rest)
        if self.number == 2:
            found[-1] = -(2**40)
        return found

    monkeypatch.setattr(Client, "contribution", hostile)
    monkeypatch.setattr(masking, "_require_finite", lambda form, vector: None)
    fleet.open()
    closed = fleet.close()
    assert closed.outcome.abandoned
    assert closed.participants == tuple(range(5))  # it was opened: their privacy is spent
    assert fleet.faults == {"secure": 1}


# --- what a client insists on


def plan_ask(fleet, number=0, **other):
    fleet.open()
    node, _, ask = next(
        a for a in fleet.answers if a[2].sums and a[2].plan and a[0] == 100 + number
    )
    return node, dataclasses.replace(ask, snapshot=None, tail=(), **other)


def refusal(fleet, node, ask):
    return decode_answer(fleet.peers[node].handle((encode_ask(ask),)), fleet.home.genesis.run)


def test_a_plan_in_the_clear_is_never_answered(made):
    fleet = made(clients=5)
    node, ask = plan_ask(fleet, sums=())
    found = refusal(fleet, node, ask)
    assert isinstance(found, Trouble)
    assert (found.reason, "in the clear" in found.text) == ("secure", True)


def test_a_second_plan_or_vector_in_a_round_is_refused(made):
    fleet = made(clients=5)
    fleet.lost = {("unmask", n) for n in range(5)}
    node, ask = plan_ask(fleet)
    other = encode_plan(dataclasses.replace(decode_plan(ask.plan), step_size=0.5))
    found = refusal(fleet, node, dataclasses.replace(ask, plan=other))
    assert (found.reason, "masked for one plan" in found.text) == ("secure", True)


def test_a_plan_of_another_round_than_was_shared_for_is_refused(made):
    """Two sums of one plan, of different clients, would tell who is in one of them only."""
    fleet = made(clients=5)
    node, ask = plan_ask(fleet)
    fleet.close()
    fleet.lost = {("mask", n) for n in range(5)}
    fleet.open()
    [again] = [m for m in fleet.c.remind(fleet.now + 21.0) if m.node == node]
    mixed = dataclasses.replace(decode_ask(again.parts[0]), plan=ask.plan, tail=())
    found = refusal(fleet, node, mixed)
    assert (found.reason, "secrets were shared for round 1" in found.text) == ("secure", True)


def test_a_plan_that_the_promise_does_not_cover_is_refused(made):
    """With the example as unit, a second local step would begin where one example moved it."""
    privacy = {"unit": "example", "noise_multiplier": 1.0, "sampling": 0.5}
    fleet = made(clients=5, privacy=privacy)
    fleet.lost = {("mask", n) for n in range(5)}
    fleet.open()
    [again] = [m for m in fleet.c.remind(fleet.now + 21.0) if m.node == 100]
    ask = decode_ask(again.parts[0])
    other = encode_plan(dataclasses.replace(decode_plan(ask.plan), num_local_steps=2))
    asked = encode_ask(dataclasses.replace(ask, plan=other))
    found = decode_answer(fleet.peers[100].handle((asked, *again.parts[1:])), ask.run)
    assert (found.reason, "2 local steps" in found.text) == ("secure", True)
    fleet.lost = set()
    fleet.deliver([again])
    assert 0 in fleet.c.sums.stage.answers


def test_shares_are_not_given_in_a_run_in_the_clear(tmp_path):
    home = Home(tmp_path / "run", settings_of(clients=3))
    peer = client_of(0, MemoryStore())
    ask = Ask(home.genesis.run, 0, home.genesis.to_bytes(), sums=(bytes([SHARE_ASK, 1]),))
    found = decode_answer(peer.handle((encode_ask(ask),)), home.genesis.run)
    home.ledger.close()
    assert found.reason == "secure"


@pytest.mark.parametrize(
    ("demands", "reason"),
    [(Demands(min_group=4), "group"), (Demands(min_group=3, secure=True), None)],
)
def test_an_operator_may_want_larger_groups(made, demands, reason):
    fleet = made(clients=5)
    peer, genesis = client_of(4, MemoryStore(), demands=demands), fleet.home.genesis
    found = refusal_of_greeting(peer, genesis)
    assert getattr(found, "reason", None) == reason
    assert isinstance(found, Trouble if reason else Holds)


def refusal_of_greeting(peer, genesis):
    ask = encode_ask(Ask(genesis.run, 0, genesis.to_bytes()))
    return decode_answer(peer.handle((ask,)), genesis.run)


def test_an_operator_may_want_secure_sums(tmp_path):
    home = Home(tmp_path / "run", settings_of(clients=3))
    store = MemoryStore()
    found = refusal_of_greeting(client_of(0, store, demands=Demands(secure=True)), home.genesis)
    home.ledger.close()
    assert found.reason == "secure"
    assert not store.kept


def test_identities_that_are_known_are_insisted_on(made):
    fleet = made(clients=5)
    fleet.lost = {("share", 0)}
    fleet.open()
    [ask] = fleet.c.remind(fleet.now + 21.0)
    right = {n: Wallet.from_bytes(fleet.stores[n].wallets[ask_run(ask)]) for n in range(1, 5)}
    keys = {n: advert(w, ask_run(ask), n).identity for n, w in right.items()}
    wrong = keys | {3: bytes(32)}
    for known, expected in ((wrong, Trouble), (keys, Masked)):
        peer = client_of(0, fleet.stores[0], demands=Demands(identities=known))
        found = decode_answer(peer.handle(ask.parts), ask_run(ask))
        assert isinstance(found, expected)
    assert found.refused is None


def ask_run(out):
    return decode_ask(out.parts[0]).run
