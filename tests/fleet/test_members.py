"""Who is who: numbers, tags and nodes."""

import pytest

from baffle.errors import DecodeError, Refused
from baffle.fleet import Members
from baffle.protocol.exchange import Holding, Holds

A, B, C = (bytes([n]) * 16 for n in range(3))


def holds(tag, claim=None, holding=None, microseconds=0):
    return Holds(tag, claim, holding, microseconds)


def refused(members, node, said, online=frozenset()):
    with pytest.raises(Refused) as found:
        members.greet(node, said, online)
    return found.value.reason, str(found.value)


def test_numbers_are_given_in_order_and_stay_with_their_tags():
    members = Members(3)
    assert [members.greet(10 + i, holds(t), frozenset()).number for i, t in enumerate((A, B))] == [
        0,
        1,
    ]
    assert members.greet(99, holds(A), frozenset()).number == 0
    assert members.of(10) is None
    assert members.of(99).tag == A


def test_a_claimed_number_is_given_if_it_is_free():
    members = Members(3)
    assert members.greet(10, holds(A, claim=2), frozenset()).number == 2
    assert members.greet(11, holds(B), frozenset()).number == 0


def test_a_greeting_says_what_a_client_holds_and_how_fast_it_is():
    held = Holding(4, bytes(32))
    member = Members(1).greet(10, holds(A, holding=held, microseconds=2500), frozenset())
    assert (member.holding, member.seconds) == (held, 0.0025)


def test_refusals_say_who_and_what():
    members = Members(2)
    members.greet(10, holds(A, claim=0), frozenset({10}))
    reason, text = refused(members, 11, holds(B, claim=7))
    assert reason == "claim"
    assert "node 11" in text
    assert "below 2" in text
    assert "7" in text
    reason, text = refused(members, 11, holds(B, claim=0))
    assert reason == "identity"
    assert "node 11 claims client 0" in text
    assert "members.json" in text
    reason, text = refused(members, 12, holds(A), frozenset({10, 12}))
    assert reason == "identity"
    assert "node 12" in text
    assert "client 0" in text
    assert "node 10" in text
    members.greet(13, holds(B), frozenset())
    reason, text = refused(members, 14, holds(C))
    assert reason == "full"
    assert "all 2 clients" in text


def test_a_client_may_move_once_its_node_is_gone():
    members = Members(2)
    members.greet(10, holds(A), frozenset({10}))
    assert members.greet(11, holds(A), frozenset({11})).node == 11
    assert members.present(frozenset({10, 11})) == [members.by_number[0]]


def test_a_node_speaks_for_one_client_only():
    members = Members(3, [(0, A, None), (1, B, None)])
    members.greet(10, holds(A), frozenset({10}))
    members.greet(10, holds(B), frozenset({10}))
    assert members.by_number[0].node is None
    assert [m.tag for m in members.present(frozenset({10}))] == [B]


def test_a_node_is_given_one_number_also_after_a_restart():
    members = Members(3)
    members.greet(10, holds(A), frozenset({10}))
    for roster in (members, Members.from_json(members.to_json(), 3)):
        with pytest.raises(Refused, match="was given client 0 and asks for client 2") as no:
            roster.greet(10, holds(B, claim=2), frozenset({10}))
        assert no.value.reason == "identity"
        assert sorted(roster.by_number) == [0]


def test_a_roster_survives_as_text_without_nodes():
    members = Members(3)
    members.greet(10, holds(A, claim=2), frozenset())
    again = Members.from_json(members.to_json(), 3)
    assert again.to_json() == members.to_json()
    assert again.by_number[2].node is None


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "nonsense", '{"format": 2, "clients": 2, "tags": {}}',
        '{"format": 1, "clients": 3, "tags": {}}',
        '{"format": 1, "clients": 2, "tags": {"2": "' + "00" * 16 + '"}}',
        '{"format": 1, "clients": 2, "tags": {"0": "zz"}}',
        '{"format": 1, "clients": 2, "tags": {"0": "' + "00" * 16 + '", "1": "' + "00" * 16 + '"}}',
    ],
)  # fmt: skip
def test_a_roster_that_is_none_is_refused(text):
    with pytest.raises(DecodeError, match="members: expected"):
        Members.from_json(text, 2)
