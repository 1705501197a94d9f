"""What one unit changes in the integers that are sent never passes Δ, and can reach it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.errors import ConfigError
from baffle.privacy import (
    PrivacySpec,
    Sensitivity,
    client_vector,
    clip_count,
    contribution_bounds,
    example_vector,
    mean_loss,
    require_levels,
)

CLIENT = PrivacySpec("client", noise_multiplier=1.0, delta=1e-5, loss_bound=4.0)
EXAMPLE = PrivacySpec("example", noise_multiplier=1.0, delta=1e-5, loss_bound=4.0, sampling=0.1)
LIMITS = st.sampled_from([8, 15, 127, 2047, 32767, 2**23 - 1])


def lanes(contribution):
    return [*contribution.values.tolist(), int(contribution.loss), int(contribution.clips)]


def difference(one, other):
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


@given(LIMITS, st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_a_client_replaced_by_zeros_changes_at_most_delta(limit, steps, K, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(-limit, limit + 1, steps * K)
    loss = np.array(rng.choice([rng.normal(2, 3), np.nan, np.inf, -np.inf, 1e300]))
    sent = lanes(client_vector(CLIENT, limit, values, loss))
    assert difference(sent, [0] * len(sent)) <= Sensitivity(limit).squared


@given(LIMITS, st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_an_example_left_out_changes_at_most_delta(limit, examples, K, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(-limit, limit + 1, (examples, K))
    losses = rng.choice([0.0, 3.9, 100.0, np.nan, np.inf, -5.0], examples)
    whole = lanes(example_vector(EXAMPLE, limit, values, losses))
    for i in range(examples):
        kept = np.arange(examples) != i
        rest = lanes(example_vector(EXAMPLE, limit, values[kept], losses[kept]))
        assert difference(whole, rest) <= Sensitivity(limit).squared


@pytest.mark.parametrize("limit", [8, 127, 32767])
def test_delta_is_attained(limit):
    values, loss = np.array([2 * limit, 0]), np.array(4.0)
    client = lanes(client_vector(CLIENT, limit, values, loss))
    example = lanes(example_vector(EXAMPLE, limit, values[None], loss[None]))
    assert client == example == [limit, 0, limit // 8, limit // 4]
    assert difference(client, [0] * 4) == Sensitivity(limit).squared


def test_steps_are_clipped_jointly():
    whole = client_vector(CLIENT, 100, np.full(4, 100), np.array(0.0))  # H = 2, K = 2
    assert whole.values.tolist() == [50] * 4


def test_many_clients_at_once_send_what_each_would_alone():
    rng = np.random.default_rng(5)
    values, losses = rng.integers(-127, 128, (6, 3, 4)), rng.uniform(0, 5, (6, 3))
    together = example_vector(EXAMPLE, 127, values, losses)
    for i in range(6):
        alone = example_vector(EXAMPLE, 127, values[i], losses[i])
        assert together.values[i].tolist() == alone.values.tolist()
        assert (together.loss[i], together.clips[i]) == (alone.loss, alone.clips)


def test_no_examples_are_zeros():
    empty = example_vector(EXAMPLE, 127, np.zeros((0, 3), dtype=np.int64), np.zeros(0))
    assert lanes(empty) == [0] * 5


@given(LIMITS, st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_lanes_keep_their_bounds(limit, most, seed):
    rng = np.random.default_rng(seed)
    values, losses = rng.integers(-limit, limit + 1, (most, 3)), rng.uniform(0, 9, most)
    sent = example_vector(EXAMPLE, limit, values, losses)
    bounds = contribution_bounds(EXAMPLE, limit, most)
    assert np.max(np.abs(sent.values)) <= bounds.values
    assert 0 <= sent.loss <= bounds.loss
    assert 0 <= sent.clips <= bounds.clips
    assert contribution_bounds(CLIENT, limit, most) == contribution_bounds(EXAMPLE, limit, 1)


@given(LIMITS, st.floats(1e-3, 100.0))
def test_sigma_is_at_least_z_delta(limit, z):
    spec = PrivacySpec("client", noise_multiplier=z, delta=1e-5, loss_bound=1.0)
    sigma = spec.total_sigma(limit)
    assert Fraction(sigma) ** 2 >= Fraction(z) ** 2 * Sensitivity(limit).squared
    assert sigma <= z * math.sqrt(Sensitivity(limit).squared) * (1 + 1e-15)
    assert math.sqrt(Sensitivity(limit).squared) <= 1.04 * limit


def test_the_server_reads_loss_and_clips_back():
    limit, losses = 32767, np.array([0.5, 1.25, 3.0, 9.0])
    sent = client_vector(CLIENT, limit, np.array([[1], [2], [3], [4]]) * 20000, losses)
    found = mean_loss(CLIENT, limit, int(sent.loss.sum()), 4)
    assert abs(found / 2**16 - np.mean([0.5, 1.25, 3.0, 4.0])) < 4.0 / (limit // 8)
    assert clip_count(limit, int(sent.clips.sum())) == 3
    assert mean_loss(CLIENT, limit, -(10**9), 4) == 0
    assert mean_loss(CLIENT, limit, 10**9, 4) == 4 * 2**16
    assert clip_count(limit, -(10**9)) == 0
    with pytest.raises(ConfigError, match="weight"):
        mean_loss(CLIENT, limit, 5, 0)


def test_example_unit_allows_one_local_step_only():
    EXAMPLE.require_steps(1)
    CLIENT.require_steps(8)
    with pytest.raises(ConfigError, match="2 local steps do not go with the example"):
        EXAMPLE.require_steps(2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unit": "group"}, "unit of privacy"),
        ({"noise_multiplier": 0.0}, "noise multiplier"),
        ({"noise_multiplier": float("nan")}, "noise multiplier"),
        ({"loss_bound": float("inf")}, "bound on a loss"),
        ({"delta": 0.0}, "δ must lie"),
        ({"delta": 1.0}, "δ must lie"),
        ({"sampling": 0.1}, "cohort comes from the public run key"),
        ({"unit": "example", "sampling": 0.0}, "sampling rate"),
        ({"unit": "example", "sampling": 1.5}, "sampling rate"),
    ],
)
def test_what_promises_nothing_is_refused(change, words):
    good = {"unit": "client", "noise_multiplier": 1.0, "delta": 1e-5, "loss_bound": 4.0}
    with pytest.raises(ConfigError, match=words):
        PrivacySpec(**{**good, **change})


def test_too_few_levels_are_refused():
    with pytest.raises(ConfigError, match="at least 8 steps, got 7"):
        Sensitivity(7)
    with pytest.raises(ConfigError, match=r"leaves each about 2\.0 steps"):
        require_levels(127, 4096)
    require_levels(32767, 4096)
