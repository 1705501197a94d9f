"""Server and client as state machines: learning, order, repeats, refusals, exactness."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.errors import DataError, DecodeError, ProbeError, ProtocolError, Refused
from baffle.protocol import Client, Genesis, decode_plan, decode_report, encode_plan, encode_report
from tests.protocol.federation import CLIENTS, SIGNATURE, Federation, Quadratic


def test_a_federation_learns():
    federation = Federation(rounds=60, update={"step_size": 0.15})
    losses = [federation.round().outcome.mean_loss for _ in range(60)]
    # The least mean loss is the spread of the centres about their mean; the start is far above it.
    centres = np.concatenate([c.probe.centres for c in federation.clients])
    least = ((centres - centres.mean(axis=0)) ** 2).sum(axis=1).mean() / 2
    assert losses[0] > 2 * least
    assert np.mean(losses[-5:]) < 1.25 * least


@settings(deadline=None, max_examples=10)
@given(st.permutations(range(CLIENTS)))
def test_the_order_of_reports_does_not_matter(order):
    one, other = Federation(), Federation()
    for _ in range(3):
        assert one.round().digest == other.round(order).digest


def test_a_client_asked_twice_answers_with_the_same_bytes():
    federation = Federation(probe={"num_local_steps": 3})
    plan = federation.server.open_round()
    assert federation.answers(plan) == federation.answers(plan)


def test_a_restarted_server_asks_for_the_same():
    one = Federation()
    one.round()
    other = Federation()
    other.round()
    assert one.server.open_round() == other.server.open_round()


@pytest.mark.parametrize("weighting", ["uniform", "examples"])
def test_splitting_a_client_in_two_changes_nothing(weighting):
    """Sum instead of mean over clients: a peer's defect. Doubling every client is the same mean."""
    one = Federation(federation={"weighting": weighting}, quantisation={"step": 2.0**-12})
    two = Federation(federation={"weighting": weighting}, quantisation={"step": 2.0**-12})
    plan = one.server.open_round()
    reports = [decode_report(r, decode_plan(plan)) for r in one.answers(plan)]
    two.server.clients = 2 * CLIENTS
    two.server.open_round()
    for report in reports:
        one.server.receive(encode_report(report, 16))
        two.server.receive(encode_report(report, 16))
        twin = dataclasses.replace(report, client=report.client + CLIENTS)
        two.server.receive(encode_report(twin, 16))
    first, second = one.server.close_round(), two.server.close_round()
    assert np.array_equal(2 * first.outcome.values, second.outcome.values)
    assert first.digest == second.digest


def test_weights_by_examples_are_capped_and_weigh():
    probes = [Quadratic(n, examples=2 + 4 * n) for n in range(CLIENTS)]
    federation = Federation(probes, federation={"weighting": "examples", "weight_cap": 9})
    closed = federation.round()
    assert closed.outcome.weight == 2 + 6 + 9 + 9 + 9
    assert closed.outcome.weight_squares == 4 + 36 + 3 * 81


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
def test_local_steps_rebuild_the_sum_of_the_clients_moves(optimiser):
    """H = 3, SGD, step size 1: the server's move is the mean of the clients' own sums of moves."""
    federation = Federation(
        probe={"num_local_steps": 3, "estimator": "forward", "radius": 2.0**-10},
        update={
            "optimiser": optimiser,
            "normalised": False,
            "local_step_size": 0.05,
            "step_size": 0.05,
            "schedule": "constant",
            "average": 0.0,
        },
    )
    plan = decode_plan(federation.server.open_round())
    assert plan.count == 72
    assert plan.local_factor == 0.05
    reports = federation.answers(encode_plan(plan))
    assert all(len(decode_report(r, plan).values) == 72 for r in reports)
    moves = [client_move(federation, c, plan) for c in federation.clients]
    before = {n: w.copy() for n, w in federation.server.state.weights.items()}
    for report in reports:
        federation.server.receive(report)
    after = federation.server.close_round().state.weights
    if optimiser == "sgd":
        for name, start in before.items():
            mean_move = np.mean([m[name] for m in moves], axis=0)
            assert after[name] - start == pytest.approx(mean_move, abs=1e-5)


def client_move(federation, client, plan):
    """Return theta_H - theta_0 of one client, the last step's own move included."""
    key_report = decode_report(
        client.answer(encode_plan(plan), federation.server.state, federation.server.digest), plan
    )
    values = key_report.values.reshape(plan.num_local_steps, plan.num_directions)
    total = {n: np.zeros_like(w) for n, w in federation.server.state.weights.items()}
    for step, row in enumerate(values):
        for number, tensor in SIGNATURE.trained:
            from baffle.directions import Place

            factors = plan.kind.draw(
                Place(plan.key, plan.round, step).stream(number),
                np.arange(plan.num_directions, dtype=np.uint32),
                tensor,
                None,
            )
            mean = factors.weighted_sum(row) * 2.0**plan.step_exponent / plan.num_directions
            total[tensor.name] -= (plan.local_factor * mean).astype(np.float32)
    return total


def test_losses_that_are_not_finite_are_counted_and_never_summed():
    good = Federation([Quadratic(n) for n in range(CLIENTS)])
    bad = Federation([Quadratic(0, spoil=(3, 9)), *(Quadratic(n) for n in range(1, CLIENTS))])
    clean, spoiled = good.round(), bad.round()
    assert clean.outcome.nonfinite == 0
    assert spoiled.outcome.nonfinite == 2
    assert np.isfinite(spoiled.state.weights["w"]).all()


def test_a_client_with_no_data_is_refused():
    federation = Federation()
    with pytest.raises(DataError, match="client 3 has no data"):
        dataclasses.replace(federation.clients[3], examples=0)


def test_a_backend_that_answers_in_another_shape_is_named():
    federation = Federation()
    broken = dataclasses.replace(federation.clients[1], probe=lambda w, p, e: np.zeros(3))
    with pytest.raises(ProbeError, match="client 1: expected 32 float64 losses, got float64"):
        broken.answer(
            federation.server.open_round(), federation.server.state, federation.server.digest
        )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"run": bytes(16)}, "run"),
        ({"round": 5}, "round"),
        ({"digest": bytes(32)}, "digest"),
    ],
)
def test_a_client_refuses_a_plan_that_is_not_for_it(change, reason):
    federation = Federation()
    plan = dataclasses.replace(decode_plan(federation.server.open_round()), **change)
    with pytest.raises(Refused) as refused:
        federation.clients[0].answer(
            encode_plan(plan), federation.server.state, federation.server.digest
        )
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"run": bytes(8)}, "run"),
        ({"round": 1}, "round"),
        ({"client": CLIENTS}, "client"),
        ({"client": 4}, "cohort"),
        ({}, "twice"),
    ],
)
def test_the_server_refuses_by_name_and_goes_on(change, reason):
    federation = Federation()
    plan = federation.server.open_round(frozenset({0, 1, 2}))
    reports = federation.answers(plan)
    federation.server.receive(reports[0])
    forged = dataclasses.replace(decode_report(reports[0], decode_plan(plan)), **change)
    with pytest.raises(Refused) as refused:
        federation.server.receive(encode_report(forged, 16))
    assert refused.value.reason == reason
    assert federation.server.refusals == {reason: 1}
    federation.server.receive(reports[1])
    closed = federation.server.close_round()
    assert closed.participants == (0, 1)
    assert closed.outcome.reports == 2


def test_a_weight_that_the_plan_does_not_allow_is_refused():
    """Under equal weights one hostile report must not outweigh the others."""
    federation = Federation()
    plan = decode_plan(federation.server.open_round())
    report = decode_report(federation.answers(encode_plan(plan))[0], plan)
    with pytest.raises(DecodeError, match="weight in 1 to 1, got 1000"):
        federation.server.receive(encode_report(dataclasses.replace(report, weight=1000), 16))


def test_an_empty_cohort_admits_nobody():
    federation = Federation()
    reports = federation.answers(federation.server.open_round(frozenset()))
    with pytest.raises(Refused) as refused:
        federation.server.receive(reports[0])
    assert refused.value.reason == "cohort"


def test_scale_exponents_of_another_model_are_refused():
    federation = Federation()
    plan = decode_plan(federation.server.open_round())
    odd = dataclasses.replace(plan, scale_exponents=(1, 2, 3))
    with pytest.raises(Refused) as refused:
        federation.clients[0].answer(
            encode_plan(odd), federation.server.state, federation.server.digest
        )
    assert refused.value.reason == "scales"


def test_garbage_is_counted_and_the_round_goes_on():
    federation = Federation()
    federation.server.open_round()
    for junk in (b"", b"R\1", bytes(104), bytes(10_000)):
        with pytest.raises(DecodeError):
            federation.server.receive(junk)
    assert federation.server.refusals == {"decode": 4}


def test_a_round_with_too_few_reports_is_abandoned_and_the_weights_stay():
    federation = Federation(min_reports=3)
    plan = federation.server.open_round()
    before = federation.server.state
    for report in federation.answers(plan)[:2]:
        federation.server.receive(report)
    closed = federation.server.close_round()
    federation.server.commit()
    assert closed.outcome.abandoned
    assert closed.state.round == 1
    assert closed.state.updates == 0
    for name, array in before.weights.items():
        assert np.array_equal(array, closed.state.weights[name])
    assert not federation.round().outcome.abandoned


@pytest.mark.parametrize(
    "events",
    [["receive"], ["close_round"], ["commit"], ["open_round", "commit"], ["open_round"] * 2],
)
def test_events_out_of_turn_are_errors_that_name_state_and_event(events):
    server = Federation().server
    *first, last = events
    for event in first:
        getattr(server, event)()
    with pytest.raises(ProtocolError, match=f"expected .* got {last}"):
        getattr(server, last)(*([b""] if last == "receive" else []))


def test_genesis_round_trip_and_strictness():
    genesis = Federation().genesis
    data = genesis.to_bytes()
    again = Genesis.from_bytes(data)
    assert again.to_bytes() == data
    assert again.run == genesis.run
    for bad in (
        b"",
        b"[]",
        b"{}",
        data + b" ",
        data.replace(b'"format":1', b'"format":2'),
        b"\xff",
    ):
        with pytest.raises(DecodeError):
            Genesis.from_bytes(bad)


def test_a_report_has_no_room_for_a_model():
    names = {f.name for f in dataclasses.fields(decode_report.__globals__["Report"])}
    assert names == {
        "run", "round", "client", "values", "weight", "loss", "clips", "nonfinite", "energy",
        "odd", "even",
    }  # fmt: skip
    assert Client is not None
