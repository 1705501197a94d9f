"""The transport on Flower's own InMemoryGrid and link state, with nodes that answer."""

import pytest

from baffle.drivers.flower import records
from baffle.drivers.flower.transport import Ask, GridTransport

pytestmark = pytest.mark.flower


@pytest.fixture
def world():
    """A Grid of one run, its state, and the ids of two nodes that are connected."""
    from flwr.server.superlink.linkstate import LinkStateFactory
    from flwr.supercore.constant import FLWR_IN_MEMORY_DB_NAME, NOOP_FEDERATION_ID, TaskType
    from flwr.supercore.object_store import ObjectStoreFactory
    from flwr.supercore.task_identity import TaskIdentity
    from flwr.superlink.federation import NoOpFederationManager
    from flwr.superlink.grid import InMemoryGrid

    factory = LinkStateFactory(
        FLWR_IN_MEMORY_DB_NAME, NoOpFederationManager(), ObjectStoreFactory()
    )
    state = factory.state()
    run = state.create_run(
        "us/app", "1.0.0", "0" * 64, {}, NOOP_FEDERATION_ID, None, None, TaskType.SERVER_APP
    )
    nodes = [state.create_node("aid", "name", bytes([i]), 30.0) for i in range(2)]
    for node in nodes:
        assert state.activate_node(node, 30.0)
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = run, 1, 3
    grid = InMemoryGrid(factory)
    grid.set_run(state.get_run_info(run_ids=[run])[0])
    return GridTransport(grid), state, nodes


def answer(state, node, *, source=None):
    """Take what is for `node` and answer with its parts joined."""
    from flwr.app import Message

    [ask] = state.get_message_ins(node_id=node, limit=1)
    data = b"+".join(records.from_record(ask.content))
    message = Message(records.to_record([data]), reply_to=ask)
    message.metadata.__dict__["_message_id"] = message.object_id
    message.metadata.__dict__["_src_node_id"] = source or node
    return state.store_message_res(message)


def test_there_and_back(world):
    link, state, nodes = world
    assert link.nodes() == set(nodes)
    link.send_many([Ask(node, [b"plan", b"chunk"], 30.0, "0") for node in nodes])
    assert link.poll() == []
    assert answer(state, nodes[0])
    assert [(r.node, r.data) for r in link.poll()] == [(nodes[0], b"plan+chunk")]
    assert answer(state, nodes[1])
    assert [(r.node, r.data) for r in link.poll()] == [(nodes[1], b"plan+chunk")]
    assert link.poll() == []


def test_a_node_that_is_not_registered(world):
    link, state, nodes = world
    link.send_many([Ask(999, [b"plan"], 30.0, "0"), Ask(nodes[0], [b"plan"], 30.0, "0")])
    assert answer(state, nodes[0])
    assert {r.node: r.data for r in link.poll()} == {999: None, nodes[0]: b"plan"}


def test_a_node_that_went_away(world):
    link, state, nodes = world
    state.deactivate_node(nodes[0])
    link.send_many([Ask(nodes[0], [b"plan"], 30.0, "0")])
    [bad] = link.poll()
    assert (bad.node, bad.data) == (nodes[0], None)
    assert "unavailable" in bad.problem.lower()


def test_flower_checks_that_the_sender_is_who_was_asked(world):
    link, state, nodes = world
    link.send_many([Ask(nodes[0], [b"plan"], 30.0, "0")])
    assert answer(state, nodes[0], source=nodes[1]) is None
    assert link.poll() == []
