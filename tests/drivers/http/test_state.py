"""The state machine: who may speak, what lies ready, what is taken; no sockets, no clock."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.drivers.http.devices import Issued
from baffle.drivers.http.limits import Buckets, Rate, Room, caller_of
from baffle.drivers.http.mailbox import MOST_OPEN, Mailbox, Sent, Taken
from baffle.drivers.http.shared import Shared
from baffle.errors import Refused
from tests.drivers.http.devices import HERE, Signer, asks, enrol, gateway

A, B = Signer(1), Signer(2)


@pytest.fixture
def pair():
    A.counter = B.counter = 0
    return gateway((A, B))


def reason(call, *args, **named):
    with pytest.raises(Refused) as no:
        call(*args, **named)
    return no.value.reason


# --- who is let in


def test_the_same_token_for_the_same_device_is_no_second_enrolment(pair):
    assert enrol(pair, A) is False
    assert len(pair.devices.by_node) == 2


def test_a_used_token_lets_nobody_else_in(pair):
    assert reason(enrol, pair, Signer(3), token=A.public[::-1]) == "token"


def test_a_token_that_is_unknown_or_over_lets_nobody_in(pair):
    assert reason(enrol, pair, Signer(3), issued=None) == "token"
    assert reason(enrol, pair, Signer(3), issued=Issued(until=100.0), today=100.0) == "token"
    assert enrol(pair, Signer(3), issued=Issued(until=100.0), today=99.0)


def test_a_response_that_was_lost_is_given_again_after_the_token_is_over(pair):
    assert enrol(pair, A, issued=Issued(until=1.0), today=2.0) is False
    assert enrol(pair, A, issued=None) is False  # and after its file is gone


def test_a_device_that_lost_its_folder_but_for_the_key_is_the_same_node_again(pair):
    assert enrol(pair, A, token=bytes(32))
    assert len(pair.devices.by_node) == 2
    assert reason(enrol, pair, B, token=bytes(32)) == "token"


def test_no_more_devices_than_there_may_be():
    found = gateway((A,), devices=1)
    assert reason(enrol, found, B) == "full"
    assert enrol(found, A, token=bytes(32))


# --- who may speak


def test_a_request_is_of_its_device(pair):
    assert asks(pair, A) == A.node


def test_a_request_that_came_before_is_refused_and_the_next_is_not(pair):
    stamp, request = A.signed()
    pair.authenticate(stamp, request, HERE, 0.0)
    assert reason(pair.glance, stamp, HERE, 0.0) == "counter"
    assert reason(pair.authenticate, stamp, request, HERE, 0.0) == "counter"
    assert asks(pair, A) == A.node


def test_a_request_that_was_overtaken_is_refused(pair):
    late = A.signed()
    assert asks(pair, A) == A.node
    assert reason(pair.authenticate, *late, HERE, 0.0) == "counter"


def test_a_refusal_for_the_counter_says_how_far_the_device_has_come(pair):
    asks(pair, A, counter=2**63)
    with pytest.raises(Refused) as no:
        asks(pair, A, counter=5)
    assert no.value.more == {"counter": 2**63}


def test_what_was_signed_before_a_restart_is_refused_with_the_new_epoch(pair):
    with pytest.raises(Refused) as no:
        asks(pair, A, epoch=b"the epoch before")
    assert no.value.reason == "epoch"
    assert bytes.fromhex(no.value.more["epoch"]) == pair.epoch


@pytest.mark.parametrize(
    ("named", "why"),
    [({"key": B.key}, "signature"), ({"node": B.node}, "signature"), ({"node": 99}, "device")],
)
def test_a_forged_request_is_refused_and_uses_up_no_counter(pair, named, why):
    assert reason(asks, pair, A, counter=10, **named) == why
    assert asks(pair, A, counter=1) == A.node
    assert asks(pair, B, counter=1) == B.node


def test_a_request_that_is_wrong_is_not_answered_by_others_signatures(pair):
    stamp, request = A.signed(body=b"one")
    other = A.signed(body=b"two", counter=stamp.counter)[1]
    assert reason(pair.authenticate, stamp, other, HERE, 0.0) == "signature"
    assert pair.authenticate(stamp, request, HERE, 0.0) == A.node


# --- how often


def test_a_device_that_asks_too_often_waits_and_no_other_does():
    found = gateway((A, B), device=Rate(2.0, 3.0))
    A.counter = B.counter = 0
    for _ in range(3):
        asks(found, A)
    with pytest.raises(Refused) as no:
        asks(found, A)
    assert (no.value.reason, no.value.more) == ("busy", {"seconds": 0.5})
    assert asks(found, B) == B.node
    assert asks(found, A, now=0.5) == A.node
    assert reason(asks, found, A, now=0.6) == "busy"


def test_an_address_of_strangers_waits_before_anything_is_verified():
    found = gateway((A,), stranger=Rate(1.0, 3.0))
    A.counter = 0
    for _ in range(3):
        assert reason(asks, found, A, key=B.key) == "signature"
    assert reason(asks, found, A, key=B.key) == "busy"
    stamp, request = A.signed()
    assert found.glance(stamp, "192.0.2.9", 0.0) is None  # from elsewhere it is welcome
    assert found.authenticate(stamp, request, "192.0.2.9", 0.0) == A.node


def test_an_address_that_was_wrong_often_is_not_welcome_for_a_while():
    found = gateway(stranger=Rate(1.0, 2.0))
    for _ in range(2):
        found.require_welcome(HERE, 0.0)
        found.mistrust(HERE, 0.0)
    assert reason(found.require_welcome, HERE, 0.0) == "busy"
    found.require_welcome(HERE, 1.0)
    found.require_welcome("192.0.2.2", 0.0)


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 2)), max_size=200))
def test_nobody_gets_more_than_the_rate_and_the_burst(events):
    buckets, now, taken = Buckets(Rate(2.0, 4.0), most=10), 0.0, [0, 0, 0]
    for pause, key in events:
        now += pause
        taken[key] += buckets.take(key, now) == 0.0
    assert all(n <= 4 + 2.0 * now + 1e-6 for n in taken)


def test_buckets_are_bounded_in_number():
    buckets = Buckets(Rate(1.0, 2.0), most=5)
    for key in range(100):
        buckets.take(key, 0.0)
    assert len(buckets) == 5


def test_neighbours_in_one_ipv6_network_are_one_caller():
    assert caller_of("2001:db8::1") == caller_of("2001:db8::ffff:1")
    assert caller_of("2001:db8::1") != caller_of("2001:db8:0:1::1")
    assert caller_of("192.0.2.1") != caller_of("192.0.2.2")


# --- mailboxes


def sent(number, until=10.0):
    return Sent(number, (b"ask %d" % number,), until)


def test_the_newest_ask_takes_the_place_of_one_that_was_not_fetched():
    box = Mailbox()
    assert box.put(sent(1)) == []
    assert box.put(sent(2)) == [sent(1)]
    assert box.fetch(0.0) == sent(2)
    assert box.answer(1, 0.0) == (Taken.GONE, None)


def test_a_fetched_ask_is_given_again_until_it_is_answered():
    box = Mailbox()
    box.put(sent(1))
    assert [box.fetch(t) for t in (0.0, 1.0, 9.9)] == [sent(1)] * 3
    assert box.answer(1, 9.9) == (Taken.NEW, sent(1))
    assert box.fetch(9.9) is None
    assert box.answer(1, 9.9) == (Taken.AGAIN, None)


def test_a_newer_ask_is_given_next_and_the_older_one_may_still_be_answered():
    box = Mailbox()
    box.put(sent(1))
    box.fetch(0.0)
    assert box.put(sent(2)) == []
    assert box.fetch(0.0) == sent(2)
    assert box.answer(2, 1.0)[0] is Taken.NEW
    assert box.fetch(1.0) is None  # the older one is not given again
    assert box.answer(1, 1.0)[0] is Taken.NEW


def test_an_ask_that_is_over_is_neither_given_nor_answered():
    box = Mailbox()
    box.put(sent(1, until=5.0))
    box.fetch(4.9)
    assert box.fetch(5.0) is None
    assert box.answer(1, 5.0)[0] is Taken.GONE
    assert box.expire(5.0) == [sent(1, until=5.0)]
    assert (box.newest, box.open) == (None, {})


def test_an_answer_to_what_was_not_fetched_is_none():
    box = Mailbox()
    box.put(sent(1))
    assert box.answer(1, 0.0)[0] is Taken.GONE


def test_the_asks_that_are_waited_for_are_bounded():
    box = Mailbox()
    for number in range(50):
        box.put(sent(number))
        box.fetch(0.0)
        assert len(box.open) <= MOST_OPEN


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 8)),
        st.tuples(st.just("fetch"), st.none()),
        st.tuples(st.just("answer"), st.integers(0, 30)),
        st.tuples(st.just("time"), st.floats(0, 4)),
        st.tuples(st.just("sweep"), st.none()),
        st.tuples(st.just("drain"), st.none()),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(EVENTS)
def test_whatever_happens_an_answer_is_taken_once_and_nothing_is_held_in_vain(events):
    """Numbers count up from 1, so that number n is the n-th ask."""
    found = gateway((A,))
    now, put, fetched, taken, came = 0.0, 0, set(), set(), []
    for what, value in events:
        if what == "put":
            put += found.put(A.node, (b"ask %d" % (put + 1), b"shared"), now + value)
        elif what == "fetch":
            one = found.fetch(A.node, now)
            assert one is None or (one.until > now and one.number == put)
            fetched |= {one.number} if one else set()
        elif what == "answer":
            number, data = value, b"answer %d" % value
            assert found.room.take(len(data))
            was = Taken.GONE
            with suppress(Refused):
                was = found.answer(A.node, number, data, now)
            if was is Taken.NEW:
                assert number in fetched - taken
                taken.add(number)
            else:
                found.room.give(len(data))
        elif what == "time":
            now += value
        elif what == "sweep":
            found.sweep(now)
        else:
            came += found.drain()
    came += found.drain()
    assert sorted(c.data for c in came) == sorted(b"answer %d" % n for n in taken)
    found.sweep(now + 100)
    figures = found.figures
    assert (figures["bytes_up"], figures["bytes_down"]) == (0, 0)
    assert (figures["asks_ready"], figures["asks_fetched"]) == (0, 0)


# --- between devices


def test_nobody_answers_another_devices_ask(pair):
    pair.put(A.node, (b"ask",), 10.0)
    number = pair.fetch(A.node, 0.0).number
    assert pair.fetch(B.node, 0.0) is None
    assert reason(pair.answer, B.node, number, b"mine", 0.0) == "gone"
    assert pair.answer(A.node, number, b"mine", 0.0) is Taken.NEW
    assert [(c.node, c.data) for c in pair.drain()] == [(A.node, b"mine")]


def test_an_ask_to_a_node_that_is_none_is_a_problem_and_not_an_error(pair):
    assert pair.put(99, (b"ask",), 10.0) is False
    (came,) = pair.drain()
    assert (came.node, came.data) == (99, None)
    assert "no device" in came.problem


def test_parts_that_are_the_same_are_held_once():
    signers = [Signer(n) for n in range(1, 9)]
    found = gateway(signers)
    for number, signer in enumerate(signers):
        chunk = bytes(bytearray(b"c" * 10_000))  # equal, and not the same object
        assert found.put(signer.node, (b"ask %d" % number, chunk), 10.0)
    assert found.figures["bytes_down"] == 10_000 + 8 * len(b"ask 0")
    held = {id(found.fetch(s.node, 0.0).parts[1]) for s in signers}
    assert len(held) == 1


def test_no_more_bytes_of_asks_than_there_is_room_for():
    found = gateway((A, B), down=100)
    assert found.put(A.node, (b"x" * 60,), 10.0)
    assert found.put(B.node, (b"x" * 60,), 10.0)  # the same
    assert not found.put(B.node, (b"y" * 60,), 10.0)
    (came,) = found.drain()
    assert "no room" in came.problem
    found.sweep(11.0)
    assert found.put(B.node, (b"y" * 60,), 20.0)


@given(st.lists(st.lists(st.sampled_from([b"a", b"bb", b"ccc", b""]), max_size=4), max_size=20))
def test_shared_parts_count_up_and_down(lists):
    shared = Shared(1000)
    held = [shared.take(parts) for parts in lists]
    assert shared.held == sum(map(len, {p for parts in lists for p in parts}))
    for parts in held:
        shared.give(parts)
    assert (shared.held, len(shared)) == (0, 0)


def test_room_is_taken_and_given_back():
    room = Room(10)
    assert room.take(10)
    assert not room.take(1)
    room.give(4)
    assert room.take(4)


# --- who is there


def test_a_device_is_there_for_a_while_after_it_spoke(pair):
    assert pair.nodes(0.0) == frozenset()
    asks(pair, A, now=5.0)
    assert pair.nodes(64.9) == {A.node}
    assert pair.nodes(65.0) == frozenset()


def test_a_device_that_waits_is_there(pair):
    pair.waits(A.node, 1)
    assert pair.nodes(1e6) == {A.node}
    pair.waits(A.node, -1)
    assert pair.nodes(1e6) == frozenset()


def test_a_device_that_works_is_there_until_its_ask_is_over(pair):
    asks(pair, A, now=0.0)
    pair.put(A.node, (b"ask",), 500.0)
    assert pair.nodes(100.0) == frozenset()  # not fetched: nobody is at work
    pair.fetch(A.node, 0.0)
    assert pair.nodes(499.0) == {A.node}
    assert pair.nodes(500.0) == frozenset()


def test_the_end_is_told_once_what_lies_ready_is_answered(pair):
    asks(pair, A)
    pair.put(A.node, (b"last",), 10.0)
    pair.finish()
    number = pair.fetch(A.node, 0.0).number
    assert pair.untold(0.0) == 1
    pair.answer(A.node, number, b"bye", 0.0)
    assert reason(pair.fetch, A.node, 0.0) == "done"
    assert pair.untold(0.0) == 0
