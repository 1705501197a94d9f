"""Each byte of each message changed, and messages out of place: noticed, or the plain sum.

The one thing that cannot be noticed here is a masked vector with other bits: every value of it is
as likely as every other. A transport's seal, or the sum's range, is what remains.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from baffle.errors import DecodeError, ProtocolError
from baffle.secagg import (
    Abandoned,
    SecureSpec,
    SecureSum,
    Terms,
    mask,
    parameters,
    secure_sum,
    share,
    unmask,
    wire,
)
from baffle.secagg.opening import decode_answer, open_answer
from tests.secagg.federation import LANES, PLAN, RUN, SPEC, Group

N = 6
SHARES = 10 + 64  # where a share answer's ciphertexts begin


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def refusal(call, *args) -> str:
    with pytest.raises(ProtocolError) as caught:
        call(*args)
    return getattr(caught.value, "reason", "bytes")


@pytest.fixture(scope="module")
def played():
    """Return client 0's wallet before each stage, and what it was asked."""
    group = Group(N)
    before = {"share": group.wallets[0]}
    group.until("share")
    asks = {"share": group.until("share").to[0]}
    asks["mask"] = group.until("mask").to[0]
    before["mask"] = group.wallets[0]
    group = Group(N)
    asks["unmask"] = group.until("unmask").to[0]
    before["unmask"] = group.wallets[0]
    return group, before, asks


CALLS = {
    "share": lambda group, wallet, ask: share(wallet, RUN, 0, SPEC, ask),
    "mask": lambda group, wallet, ask: mask(wallet, ask, PLAN, LANES, group.values[0]),
    "unmask": lambda group, wallet, ask: unmask(wallet, ask),
}
FIELDS = {  # offset of a field in an ask, and how its change is refused or noticed
    "share": {
        "type": (0, "bytes"), "version": (1, "bytes"), "run": (2, "run"), "members": (26, "bytes"),
        "own leaf": (30, "roster"), "own leaf's end": (61, "roster"), "leaf": (62, "neighbours"),
        "last leaf": (30 + 32 * N - 1, "neighbours"), "advert": (30 + 32 * N, "neighbours"),
        "last advert": (-1, "neighbours"),
    },
    "mask": {
        "type": (0, "bytes"), "version": (1, "bytes"), "tag": (2, "context"),
        "list": (10, "sharers"), "sealed": (11, "cipher"), "seal": (11 + 79, "cipher"),
        "last": (-1, "cipher"),
    },
    "unmask": {
        "type": (0, "bytes"), "version": (1, "bytes"), "tag": (2, "context"),
        "list": (10, "sharers"),
    },
}  # fmt: skip
CASES = [(stage, name) for stage, fields in FIELDS.items() for name in fields]


@pytest.mark.parametrize(("stage", "name"), CASES)
def test_a_field_of_an_ask(played, stage, name):
    group, before, asks = played
    at, reason = FIELDS[stage][name]
    ask = asks[stage]
    CALLS[stage](group, before[stage], ask)  # as it is, it is answered
    changed = flipped(ask, at % len(ask))
    assert refusal(CALLS[stage], group, before[stage], changed) == reason


@pytest.mark.parametrize("name", ["round", "group", "groups"])
def test_other_terms_for_one_client_are_noticed_by_its_neighbours(name):
    """They are no error in themselves, but nothing that it seals opens where terms are others."""
    group = Group(N)
    asks = group.until("share")
    roster, adverts = wire.decode_share_ask(asks.to[0], SPEC)
    terms = replace(roster.terms, **{name: {"round": 4, "group": 0, "groups": 2}[name]})
    if name == "group":
        terms = Terms(RUN, 3, 1, 2)
    other = wire.encode_share_ask(replace(roster, leaves=roster.leaves, terms=terms), adverts)
    answers = {c: group.answer("share", c, other if c == 0 else ask) for c, ask in asks.to.items()}
    mine, theirs = answers[0], answers[1]
    assert mine[2:10] != theirs[2:10]
    going = secure_sum(roster.terms, SPEC, Group(N).adverts(), lambda: (PLAN, LANES))
    next(going)
    asks = going.send(answers)
    assert 0 not in asks.to  # its answer belongs to another context, says the server
    forced = theirs[:2] + theirs[2:10] + mine[10:]
    going = secure_sum(roster.terms, SPEC, Group(N).adverts(), lambda: (PLAN, LANES))
    next(going)
    asks = going.send({**answers, 0: forced})
    wallet = group.wallets[1]
    assert refusal(mask, wallet, asks.to[1], PLAN, LANES, group.values[1]) == "cipher"


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_every_cut_and_addition(played, stage):
    group, before, asks = played
    ask = asks[stage]
    for changed in (*(ask[:cut] for cut in range(0, len(ask), 5)), ask[:-1], ask + b"\0"):
        with pytest.raises(ProtocolError):
            CALLS[stage](group, before[stage], changed)


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_every_byte_of_an_ask(played, stage):
    """Changed anywhere, an ask is refused or leads nowhere: its answer is bound to other terms."""
    group, before, asks = played
    _, answer = CALLS[stage](group, before[stage], asks[stage])
    for at in range(0, len(asks[stage]), 1 if stage != "share" else 3):
        try:
            _, other = CALLS[stage](group, before[stage], flipped(asks[stage], at))
        except ProtocolError:
            continue
        assert other[2:10] != answer[2:10]


@pytest.mark.parametrize("stage", ["mask", "unmask"])
def test_an_ask_of_another_round_run_or_client(played, stage):
    _, before, _ = played
    later = Group(N, round=4)
    other = later.until(stage).to[0]
    assert refusal(CALLS[stage], later, before[stage], other) == "context"
    strange = Group(N, seed=5)
    assert refusal(CALLS[stage], strange, before[stage], strange.until(stage).to[0]) == "context"
    if stage == "mask":
        group = Group(N)
        swapped = group.until("mask").to[1]
        assert refusal(CALLS["mask"], group, before["mask"], swapped) == "cipher"


def run_with(stage: str, client: int, change) -> SecureSum | Abandoned:
    group = Group(N)
    result = group.run(change=lambda s, c, a: change(a) if (s, c) == (stage, client) else a)
    if isinstance(result, SecureSum):
        assert np.array_equal(result.values, group.plain(result.participants))
    return result


ANSWER_FIELDS = [
    ("share", 0, "bytes"), ("share", 1, "bytes"), ("share", 2, "context"),
    ("mask", 0, "bytes"), ("mask", 1, "bytes"), ("mask", 2, "context"),
    ("unmask", 0, "bytes"), ("unmask", 1, "bytes"), ("unmask", 2, "context"),
    ("unmask", -1, "tokens"), ("unmask", -40, "tokens"),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "at", "reason"), ANSWER_FIELDS)
def test_a_field_of_an_answer(stage, at, reason):
    result = run_with(stage, 2, lambda answer: flipped(answer, at % len(answer)))
    assert isinstance(result, SecureSum)
    assert result.refused[2][0] == reason
    assert result.refused[2][1].startswith("client 2: ")
    assert result.dropped[stage] == (2,)


def test_an_answers_commitment():
    result = run_with("share", 2, lambda answer: flipped(answer, 10 + 32))
    assert isinstance(result, Abandoned)
    assert result.reason == "secret"
    assert "client 2" in result.sentence


def test_an_answers_sealed_shares():
    group = Group(N)
    result = group.run(change=lambda s, c, a: flipped(a, SHARES) if (s, c) == ("share", 2) else a)
    assert group.refused[0].reason == "cipher"  # the first neighbour, and it says whose
    assert "client 2" in str(group.refused[0])
    assert isinstance(result, SecureSum)
    assert result.participants == (1, 2, 3, 4, 5)
    assert np.array_equal(result.values, group.plain(result.participants))


def test_an_answers_next_key_is_noticed_in_the_next_round():
    group = Group(N)
    result = group.run(change=lambda s, c, a: flipped(a, 10) if (s, c) == ("share", 2) else a)
    assert isinstance(result, SecureSum)
    going = secure_sum(
        Terms(RUN, 4), SPEC, [result.adverts[c] for c in range(N)], lambda: (PLAN, LANES)
    )
    ask = next(going).to[2]
    assert refusal(share, group.wallets[2], RUN, 2, SPEC, ask) == "roster"


@pytest.mark.parametrize("at", [10, 11 + 16 * 4, 10 + 16 * 5, 10 + 16 * 9])
def test_an_answers_tokens_and_key_shares(at):
    """One wrong token spoils one share of a neighbour's key; others do."""
    result = run_with("unmask", 2, lambda answer: flipped(answer, at))
    assert isinstance(result, SecureSum)


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_every_cut_and_addition_of_an_answer(stage):
    for change in (lambda a: a[:-1], lambda a: a + b"\0", lambda a: b"", lambda a: a[:9]):
        result = run_with(stage, 2, change)
        assert isinstance(result, SecureSum)
        assert result.refused[2][0] == "bytes"


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_answers_of_another_round(stage):
    other = Group(N, round=2)
    other.run()
    result = run_with(stage, 2, lambda _: other.answered[stage, 2])
    assert result.refused[2][0] == "context"


@pytest.mark.parametrize("stage", ["share", "unmask"])
def test_answers_swapped_between_clients(stage):
    """Another's share answer seals for others, its unmask answer takes others' tokens."""
    group, honest = Group(N), Group(N)
    honest.run()
    result = group.run(
        change=lambda s, c, a: honest.answered[stage, 3] if (s, c) == (stage, 2) else a
    )
    if stage == "unmask":
        assert result.refused[2][0] == "tokens"
        assert np.array_equal(result.values, group.plain(result.participants))
    else:
        assert isinstance(result, Abandoned)
        assert {p.reason for p in group.refused.values()} == {"cipher"}
        assert "client 2" in str(group.refused[0])


def test_a_changed_vector_out_of_the_sums_range_is_noticed():
    """Flipping a lane's top bit moves the sum by half the modulus: only then, and not always."""
    lanes = LANES
    group = Group(N)
    bits = lanes.blocks[0].bits(N)
    result = group.run(
        change=lambda s, c, a: flipped_bit(a, 80 + bits - 1) if (s, c) == ("mask", 2) else a
    )
    moved = abs(int(group.plain(range(N))[0])) + 2 ** (bits - 1) > N * 127
    assert isinstance(result, Abandoned if moved else SecureSum)
    assert moved
    assert result.reason == "range"


def flipped_bit(data: bytes, at: int) -> bytes:
    return data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :]


# -- a server that shows different clients different things


def test_another_plan_for_one_client_gives_a_vector_of_another_view():
    group = Group(N)
    asks = group.until("mask")
    _, answer = mask(group.wallets[0], asks.to[0], b"another plan", LANES, group.values[0])
    _, honest = mask(group.wallets[0], asks.to[0], PLAN, LANES, group.values[0])
    assert answer[2:10] != honest[2:10]
    words = LANES.unpack(answer[10:], N) - LANES.unpack(honest[10:], N)
    assert np.count_nonzero(LANES.signed(words, N)) == LANES.count  # not a mask in common


def test_a_roster_changed_for_one_client():
    """A mask key of the server's own in one client's roster: nothing sealed opens at the others."""
    group, mallory = Group(N), Group(N, seed=8)
    adverts = group.adverts()
    fake = [*adverts[:4], replace(adverts[4], mask=mallory.adverts()[4].mask), adverts[5]]
    real = next(secure_sum(Terms(RUN, 3), SPEC, adverts, lambda: (PLAN, LANES)))
    other = next(secure_sum(Terms(RUN, 3), SPEC, fake, lambda: (PLAN, LANES)))
    answers = {c: group.answer("share", c, ask) for c, ask in real.to.items() if c}
    answers[0] = group.answer("share", 0, other.to[0])
    going = secure_sum(Terms(RUN, 3), SPEC, adverts, lambda: (PLAN, LANES))
    next(going)
    forced = {**answers, 0: answers[1][:10] + answers[0][10:]}
    asks = going.send(forced)
    for client in range(1, N):
        reason = refusal(
            mask, group.wallets[client], asks.to[client], PLAN, LANES, group.values[client]
        )
        assert reason == "cipher"


def lists_shown(n: int, spec: SecureSpec, first: set[int]) -> tuple[Group, dict[int, bytes], list]:
    """Let a server show the clients in `first` one list of survivors and the rest another."""
    group = Group(n, spec=spec)
    ask = group.until("unmask").to[0]
    maps = [np.ones(n, dtype=bool), np.ones(n, dtype=bool)]
    maps[0][n - 1] = False
    maps[1][n - 2] = False
    asks = [ask[:10] + wire.encode_bitmap(chosen) for chosen in maps]
    answers = {}
    for client in range(n - 2):
        which = 0 if client in first else 1
        group.wallets[client], answers[client] = unmask(group.wallets[client], asks[which])
    return group, answers, maps


@pytest.mark.parametrize("split", range(9))
def test_two_lists_of_survivors_never_both_open(split):
    """The server has the answers to both; at most one side has the tokens that it takes."""
    n, spec = 10, SecureSpec(min_group=2)
    group, answers, maps = lists_shown(n, spec, set(range(split)))
    view = group.wallets[0].current().view
    threshold = parameters(n, spec).threshold
    opened = []
    for which, chosen in enumerate(maps):
        opening = wire.opening_of(view, wire.encode_bitmap(chosen))
        side = [c for c in answers if (c < split) == (which == 0)]
        parts = {
            c: decode_answer(
                answers[c], opening, n - 1, [p for p in range(n) if chosen[p] and p != c]
            )
            for c in side
        }
        opened.append(sum(open_answer(c, parts, opening, threshold) is not None for c in parts))
    assert min(opened) == 0
    assert (max(opened) > 0) == (max(split, 8 - split) > threshold)


def test_decoders_name_the_version():
    with pytest.raises(DecodeError, match="expected version 1, got 2"):
        wire.body("share ask", bytes([wire.SHARE_ASK, 2]) + bytes(40), wire.SHARE_ASK)
