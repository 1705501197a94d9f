"""The server's side of groups: what it sums, under which rule, and that no rule is left out."""

import dataclasses

import numpy as np
import pytest

from baffle.aggregation import Part, make_rule
from baffle.cohort import Groups
from baffle.errors import ProtocolError, Refused
from baffle.protocol import Server
from baffle.protocol.steps import points_of, take
from baffle.updates import NUMPY
from baffle.updates.rebuild import Sums, estimate
from tests.protocol.federation import CLIENTS, Federation

COUNT = 24


def server_of(rule, **sections):
    made = Federation(**sections)
    server = Server(
        made.genesis.run,
        made.rules,
        made.server.policy,
        made.server.state,
        CLIENTS,
        rule=make_rule(rule),
        sums_only=True,
    )
    return made, server


def part(value, clients):
    values = np.full(COUNT, value * clients)
    return Part(values, clients, clients, clients, (0, 0, 0, 9 * clients, 0, 0))


SHARED = {"groups": {"directions": "shared"}}


def closed(server, sums):
    """Close a round of groups with these sums: (value, clients) each, None for none."""
    starts = np.cumsum([0, *(n for _, n in sums)]).tolist()
    members = [tuple(range(a, a + n)) for a, (_, n) in zip(starts, sums, strict=False)]
    server.open_round(None, Groups(tuple(members)))
    for group, ((value, clients), whose) in enumerate(zip(sums, members, strict=True)):
        if value is not None:
            server.receive_sum(group, part(value, clients), whose)
    return server.close_round().outcome


def test_a_median_over_groups_counts_groups_not_clients():
    _, server = server_of("median", **SHARED)
    outcome = closed(server, [(10, 1), (6, 3), (7, 1)])  # sums of 10, 18 and 7
    assert (outcome.values == 7 * outcome.weight).all()
    assert outcome.reports == 5


@pytest.mark.parametrize("sums", [[(5, 3)], [(5, 2), (1000, 2)], [(5, 2), (None, 1), (9, 1)]])
def test_of_too_few_groups_comes_nothing_rather_than_a_sum_without_the_rule(sums):
    _, server = server_of("median", **SHARED)
    assert closed(server, sums).abandoned


def test_without_a_rule_groups_that_share_directions_are_added_up():
    _, server = server_of("sum", **SHARED)
    outcome = closed(server, [(5, 2), (8, 3)])
    assert outcome.values.tolist() == [34] * COUNT
    assert (outcome.weight, outcome.reports) == (5, 5)


def test_groups_with_their_own_directions_stand_side_by_side():
    made, server = server_of("sum")
    outcome = closed(server, [(5, 2), (None, 2), (8, 1)])
    assert outcome.values.reshape(3, COUNT).tolist() == [[10] * COUNT, [0] * COUNT, [8] * COUNT]
    plan = server.plan
    assert (plan.groups, plan.sets, plan.sums) == (3, 3, 3 * COUNT)
    state = server.state
    moved = made.rules.advance(state, plan, outcome)
    flat = dataclasses.replace(plan, groups=1, num_directions=3 * COUNT)
    same = made.rules.advance(state, flat, outcome)  # normalised: as of one set of 3 K directions
    assert moved.digest() == same.digest()


def test_a_report_in_the_clear_is_refused_and_counted():
    made, server = server_of("sum")
    plan = server.open_round()
    with pytest.raises(Refused, match="in the clear"):
        server.receive(made.clients[0].answer(plan, server.state, server.digest))
    assert server.refusals == {"secure": 1}


def test_a_client_is_in_one_sum_alone():
    _, server = server_of("sum")
    server.open_round(None, Groups(((0, 1), (2, 3))))
    server.receive_sum(0, part(1, 2), (0, 1))
    with pytest.raises(ProtocolError, match="client 1, which is in the round already"):
        server.receive_sum(1, part(1, 2), (1, 2))


def test_local_steps_go_along_the_groups_own_directions():
    """A client of group 1 does what it would with those directions as the second half of one set.

    With one local step and no batch its second loss is at weights moved by its own first integers.
    """
    made = Federation(probe={"num_local_steps": 2, "num_directions": 8, "batch": 0, "pairs": 2})
    server = made.server
    plan = server.policy.plan(made.genesis.run, 0, server.digest, None)
    plan = dataclasses.replace(plan, groups=2, local_factor=0.5)
    first, second = (made.clients[0].measure(plan, server.state, server.digest, g) for g in (0, 1))
    assert not np.array_equal(first.values, second.values)
    still = dataclasses.replace(plan, local_factor=0.0)
    unmoved = made.clients[0].measure(still, server.state, server.digest, 1)
    assert np.array_equal(unmoved.values[:8], second.values[:8])
    assert not np.array_equal(unmoved.values[8:], second.values[8:])
    sums = Sums(
        np.r_[np.zeros(8, np.int64), second.values[:8]][None],
        1,
        plan.step_exponent,
        (0, 0),
        directions=8,
    )
    own = estimate(plan.kind, made.rules.signature, plan.key, 0, 0, sums, None, NUMPY)
    moved = {n: w - own[n] * np.float32(0.5) for n, w in server.state.weights.items()}
    losses = made.clients[0].probe(moved, points_of(plan, made.rules.signature, 1, 1), np.arange(6))
    keys = np.array([made.clients[0].key], dtype=np.uint64)
    assert np.array_equal(take(plan, 1, keys, losses[None])[0].quantised.values, second.values[8:])


def test_a_plan_with_anothers_key_or_group_is_refused():
    made = Federation()
    server = made.server
    plan = server.policy.plan(made.genesis.run, 0, server.digest, None)
    other = dataclasses.replace(plan, key=plan.key + 1)
    with pytest.raises(Refused, match="expected directions of the run's key"):
        made.clients[0].measure(other, server.state, server.digest)
    with pytest.raises(Refused, match="expected a group below 1, got 1"):
        made.clients[0].measure(plan, server.state, server.digest, group=1)
