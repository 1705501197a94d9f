"""The transport: what is sent arrives, what comes back is judged one by one."""

import pytest

from baffle.drivers.flower import records
from baffle.drivers.flower.link import Link
from baffle.drivers.flower.transport import PUSH_BYTES, Ask, GridTransport, Reply
from baffle.errors import LinkLost
from tests.drivers.flower.fakes import FakeGrid, identity
from tests.drivers.flower.test_link import Clock, away

pytestmark = pytest.mark.flower


def reply(message, parts=(b"report",)):
    from flwr.app import Message

    return Message(records.to_record(parts), reply_to=message)


def transport(answer=lambda message: [reply(message)], nodes=(2, 3, 4), **options):
    identity()
    clock = Clock()
    grid = FakeGrid(set(nodes), answer)
    link = Link(grid, 10.0, clock=clock, sleep=clock.sleep)
    return GridTransport(grid, clock=clock, link=link, **options), grid, clock


def asks(*nodes, parts=(b"plan",), ttl=30.0):
    return [Ask(node, parts, ttl, "round 5") for node in nodes]


def test_nodes():
    assert transport()[0].nodes() == {2, 3, 4}


def test_a_round():
    sent, grid, _ = transport()
    sent.send_many(asks(2, 3))
    assert sorted(sent.poll(), key=lambda r: r.node) == [Reply(2, b"report"), Reply(3, b"report")]
    assert sent.poll() == []
    metadata = grid.pushes[0][0].metadata
    assert (metadata.group_id, metadata.ttl, metadata.message_type) == ("round 5", 30.0, "train")


def test_parts_arrive_at_the_node():
    sent, grid, _ = transport()
    sent.send_many([Ask(2, [b"tail", b"chunk"], 1.0, "5")])
    assert records.from_record(grid.pushes[0][0].content) == [b"tail", b"chunk"]


def test_one_push_a_round():
    sent, grid, _ = transport()
    sent.send_many(asks(2, 3, 4))
    assert [len(push) for push in grid.pushes] == [3]


def test_a_push_stays_below_the_payload_limit():
    from flwr.app.message import remove_content_from_message
    from flwr.common.serde import message_to_proto
    from flwr.proto.runtime_pb2 import PushAppMessagesRequest
    from flwr.supercore.inflatable.inflatable_object import get_object_tree

    nodes = range(2, 402)
    sent, grid, _ = transport(nodes=nodes)
    sent.send_many(asks(*nodes, parts=[b"plan", *(bytes([i]) for i in range(60))]))
    assert len(grid.pushes) > 1
    assert sum(map(len, grid.pushes)) == 400
    largest = max(grid.pushes, key=len)
    request = PushAppMessagesRequest(
        messages_list=[message_to_proto(remove_content_from_message(m)) for m in largest],
        message_object_trees=[get_object_tree(m) for m in largest],
    )
    assert 0.5 * PUSH_BYTES < request.ByteSize() <= PUSH_BYTES


def test_the_same_plan_never_has_the_same_id():
    sent, grid, _ = transport()
    sent.send_many(asks(2, 2))
    one, two = grid.pushes[0]
    assert one.content.object_id != two.content.object_id


def test_an_unknown_node_is_a_problem_at_the_next_poll():
    sent, _, _ = transport()
    sent.send_many(asks(2, 99))
    assert sorted(r.node for r in sent.poll() if r.problem) == [99]
    assert sent.bytes.messages_down == 1


def test_bytes():
    sent, _, _ = transport()
    sent.send_many([Ask(2, [b"12345", b"678"], 1.0, "5")])
    sent.poll()
    assert (sent.bytes.down, sent.bytes.up) == (8, 6)
    assert (sent.bytes.messages_down, sent.bytes.messages_up) == (1, 1)


def test_an_error_reply():
    from flwr.app import Error, Message

    sent, _, _ = transport(lambda m: [Message(Error(3, "no such module"), reply_to=m)])
    sent.send_many([Ask(2, [b"plan"], 1.0, "5")])
    [bad] = sent.poll()
    assert bad == Reply(2, None, "error 3: no such module")
    assert sent.poll() == []


@pytest.mark.parametrize("parts", [(b"a", b"b"), (bytes(101),)], ids=["two parts", "too long"])
def test_an_answer_of_another_form(parts):
    sent, _, _ = transport(lambda message: [reply(message, parts)], max_reply=100)
    sent.send_many([Ask(2, [b"plan"], 1.0, "5")])
    [bad] = sent.poll()
    assert (bad.node, bad.data) == (2, None)
    assert "expected" in bad.problem


def test_one_bad_answer_does_not_touch_the_others():
    from flwr.app import Message, RecordDict

    def answer(message):
        bad = message.metadata.dst_node_id == 3
        return [Message(RecordDict(), reply_to=message) if bad else reply(message)]

    sent, _, _ = transport(answer)
    sent.send_many(asks(2, 3, 4))
    assert {r.node: r.data for r in sent.poll()} == {2: b"report", 3: None, 4: b"report"}


def test_a_reply_that_comes_twice_counts_once():
    sent, _, _ = transport(lambda message: [reply(message), reply(message)])
    sent.send_many([Ask(2, [b"plan"], 1.0, "5")])
    good, bad = sent.poll()
    assert good == Reply(2, b"report")
    assert bad.problem == "a reply to a message that was not sent"


def test_a_reply_in_another_nodes_name():
    def answer(message):
        forged = reply(message)
        forged.metadata.__dict__["_src_node_id"] = 4
        return [forged]

    sent, _, _ = transport(answer)
    sent.send_many([Ask(2, [b"plan"], 1.0, "5")])
    assert sent.poll() == [Reply(2, None, "node 4 answered in its place")]


def test_messages_whose_time_is_over_are_forgotten():
    sent, grid, clock = transport(lambda message: [])
    sent.send_many(asks(2, ttl=5.0))
    sent.send_many(asks(3, ttl=50.0))
    clock.sleep(10)
    sent.poll()
    assert [len(ids) for ids in grid.pulls] == [2]  # after a last look at both
    clock.sleep(50)
    sent.poll()
    assert [len(ids) for ids in grid.pulls] == [2, 1]
    sent.poll()
    assert [len(ids) for ids in grid.pulls] == [2, 1]


def test_an_answer_that_came_in_time_is_read_also_late():
    sent, _, clock = transport()
    sent.send_many(asks(2, ttl=5.0))
    clock.sleep(100)  # the server was busy
    assert sent.poll() == [Reply(2, b"report")]


def test_a_reply_that_flower_cannot_read_spoils_one_round_of_others_at_most():
    def answer(message):
        if message.metadata.dst_node_id == 3:
            raise KeyError("RecordDict")
        return [reply(message)]

    sent, grid, clock = transport(answer)
    sent.send_many(asks(2, 3, 4, ttl=5.0))
    assert sent.poll() == []  # Flower lost the whole batch
    clock.sleep(10)
    for _ in range(3):
        sent.send_many(asks(2, 3, 4, ttl=5.0))
        found = {r.node: r for r in sent.poll()}
        assert (found[2].data, found[3].data, found[4].data) == (b"report", None, b"report")
        assert "cannot read" in found[3].problem
    assert sorted(map(len, grid.pulls[-2:])) == [1, 2]  # 2 and 4 together again, 3 alone


def test_a_lost_reply_does_not_clear_a_suspect():
    """After a spoilt batch Flower says of each message that it is gone; that proves nothing."""
    from flwr.app import Error, Message

    state = {"bad": True}

    def answer(message):
        if state["bad"]:
            raise KeyError("RecordDict")
        return [Message(Error(4, "unavailable"), reply_to=message)]

    sent, grid, _ = transport(answer)
    sent.send_many(asks(2, 3))
    sent.poll()
    state["bad"] = False
    sent.send_many(asks(2, 3))
    sent.poll()
    sent.send_many(asks(2, 3))
    sent.poll()
    assert all(len(ids) == 1 for ids in grid.pulls[1:])


def test_a_push_is_repeated_while_the_superlink_is_away():
    sent, grid, _ = transport()
    grid.fail = [away(), away()]
    sent.send_many([Ask(2, [b"plan"], 1.0, "5")])
    assert sent.poll() == [Reply(2, b"report")]


def test_a_superlink_that_stays_away():
    sent, grid, _ = transport()
    grid.fail = [away()] * 99
    with pytest.raises(LinkLost, match="did not answer"):
        sent.send_many([Ask(2, [b"plan"], 1.0, "5")])
