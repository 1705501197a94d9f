"""What a client adds to a secure sum, what a sum means, and what no sum of honest clients says."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.aggregation import COUNTERS
from baffle.errors import Refused
from baffle.privacy import PrivacySpec
from baffle.protocol.contribution import Form, answer_secret
from baffle.protocol.messages import Report
from baffle.protocol.server import part_of
from baffle.protocol.steps import MAX_ENERGY, MAX_LOSS
from baffle.secagg import SecureSpec, parameters
from tests.protocol.test_codec import PLAN

COUNT, CAP = 6, 9
CLEAR = dataclasses.replace(
    PLAN, num_directions=3, num_local_steps=2, pairs=0, bits=8, weighting="examples", weight_cap=CAP
)
GROUP = parameters(5, SecureSpec())
FORM = Form(CLEAR, None, GROUP)
LIMIT = CLEAR.quantiser.limit

reports = st.builds(
    Report,
    st.just(bytes(8)),
    st.just(0),
    st.integers(0, 9),
    st.lists(st.integers(-LIMIT, LIMIT), min_size=COUNT, max_size=COUNT).map(np.array),
    st.integers(1, CAP),
    st.integers(-MAX_LOSS, MAX_LOSS),
    st.integers(0, COUNT),
    st.integers(0, COUNT),
    *[st.integers(0, MAX_ENERGY)] * 3,
)


@given(st.lists(reports, min_size=1, max_size=5))
def test_a_sum_of_vectors_is_the_sum_of_the_reports(found):
    vectors = [FORM.vector(report) for report in found]
    for vector in vectors:
        FORM.lanes.check(vector)
    part = FORM.part(np.sum(vectors, axis=0), len(found))
    parts = [part_of(report) for report in found]
    whole = sum(parts[1:], start=parts[0])
    assert np.array_equal(part.values, whole.values)
    assert dataclasses.replace(part, values=None) == dataclasses.replace(whole, values=None)


@pytest.mark.parametrize("lane", range(8))
@pytest.mark.parametrize("far", [-(2**40), 2**60])
def test_counts_that_no_honest_members_have_are_not_used(lane, far):
    """One of three puts something else into one lane."""
    honest = Report(bytes(8), 0, 1, np.arange(COUNT), 3, 5, 1, 0, 9, 8, 7)
    total = 3 * FORM.vector(honest)
    assert FORM.part(total, 3).reports == 3
    total[COUNT + lane] += far
    name = ("weight", "weight_squares", *COUNTERS)[lane]
    wanted = "weight" if lane < 2 else name
    with pytest.raises(Refused, match=f"a sum of 3 clients: expected {wanted}") as refused:
        FORM.part(total, 3)
    assert refused.value.reason == "range"


@pytest.mark.parametrize("weight", [-3, 0, 2, 4])
def test_a_uniform_weight_is_the_number_of_reports(weight):
    form = Form(dataclasses.replace(CLEAR, weighting="uniform"), None, GROUP)
    total = 3 * form.vector(Report(bytes(8), 0, 1, np.arange(COUNT), 1, 5, 1, 0, 9, 8, 7))
    total[COUNT] = weight
    with pytest.raises(Refused, match="expected weight from 3 to 3"):
        form.part(total, 3)


PRIVATE = PrivacySpec("client", noise_multiplier=1.0, delta=1e-5, loss_bound=4.0)
NOISY = Form(
    dataclasses.replace(CLEAR, weighting="uniform", bits=16, num_directions=8), PRIVATE, GROUP
)
QUIET = Report(bytes(8), 0, 1, np.full(16, 100), 1, 2**16, 0, 0, 9, 8, 7)


def test_with_privacy_nothing_but_values_loss_and_clips_is_sent():
    vector = NOISY.vector(QUIET)
    assert len(vector) == NOISY.plan.count + 2 == NOISY.lanes.count
    louder = dataclasses.replace(QUIET, energy=1, odd=1, even=1, nonfinite=2, clips=3)
    assert np.array_equal(vector, NOISY.vector(louder))


def test_noise_is_the_clients_own_and_repeats_for_the_same_question_alone():
    private, run = bytes(range(32)), bytes(16)

    def noised(private, **asked):
        place = {"run": run, "round": 3, "group": 1, "asked": b"plan and ask"} | asked
        return NOISY.noised(NOISY.vector(QUIET), answer_secret(private, **place))

    first = noised(private)
    assert np.array_equal(first, noised(private))
    others = [
        noised(private, asked=b"another"),
        noised(private, round=4),
        noised(private, group=0),
        noised(private, run=bytes(15) + b"1"),
        noised(bytes(32)),
    ]
    assert all(not np.array_equal(first, other) for other in others)
    NOISY.lanes.check(first)


@settings(max_examples=10, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_a_noisy_sum_is_read_within_its_ranges(secret):
    vectors = [NOISY.noised(NOISY.vector(QUIET), secret[:-1] + bytes([n])) for n in range(5)]
    part = NOISY.part(np.sum(vectors, axis=0), 5)
    loss, clips, *rest = part.counters
    assert 0 <= loss <= 5 * 4 * 2**16
    assert clips >= 0
    assert rest == [0, 0, 0, 0]
    assert (part.reports, part.weight, part.weight_squares) == (5, 5, 5)


@pytest.mark.parametrize(("members", "honest"), [(5, 3), (20, 17), (100, 85)])
def test_the_noise_of_the_fewest_honest_members_is_enough(members, honest):
    """σ² of the smallest sum that is opened, without the colluders' shares, is what was promised.

    Of 100 at the defaults 90 are opened, and 5 of them may tell what they added.
    """
    form = dataclasses.replace(NOISY, group=parameters(members, SecureSpec()))
    promised = PRIVATE.total_sigma(form.plan.quantiser.limit)
    assert form.sigma**2 * honest >= promised**2
    assert form.sigma**2 * (honest - 1) < promised**2


def test_one_draw_has_the_spread_of_the_shares_sum():
    shape = np.zeros(2, dtype=np.int64)
    seeds = [n.to_bytes(32, "big") for n in range(400)]
    once = np.array([NOISY.noised_sum(shape, 5, seed) for seed in seeds])
    shares = np.array(
        [
            sum(NOISY.noised(shape, seed[:-3] + bytes([n]) + seed[-2:]) for n in range(5))
            for seed in seeds
        ]
    )
    ratio = once.std() / shares.std()
    assert 0.9 < ratio < 1.1
