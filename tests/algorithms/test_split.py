"""K and B at constant K·B: steered to where directions and examples leave the same error."""

import math

import numpy as np
import pytest

from baffle.algorithms.split import WORSE, Split, noise_to_signal
from baffle.config import resolve
from baffle.directions import ModelSignature, TensorSpec
from baffle.drivers.build import first_plan, most_directions, policy
from baffle.errors import ConfigError
from baffle.protocol import Last, Outcome

SIGNATURE = ModelSignature((TensorSpec("w", (100, 20)),))
CLIENTS, RUN, DIGEST = 10, b"r" * 16, b"d" * 32
MEASURED = {
    "probe": {"num_directions": 128, "batch": 16, "split": "measured"},
    "update": {"step_size": 0.1},
}


def outcome(plan, examples_noise, seed=0):
    """Clients' derivatives of a linear loss: g·z of all, and their batches' own part.

    `examples_noise` is s², so a client's batch adds s²/B to the mean square of 1.
    """
    random = np.random.default_rng(seed)
    signal = random.standard_normal(plan.count)
    spread = math.sqrt(examples_noise / plan.batch)
    each = signal + spread * random.standard_normal((CLIENTS, plan.count))
    values = np.rint(each * 4096).astype(np.int64)
    energy = round(float((values.astype(float) ** 2).mean(axis=1).sum()) * 256)
    return Outcome(
        RUN, plan.round, CLIENTS, CLIENTS, CLIENTS,
        loss=0, clips=0, nonfinite=0, energy=energy, odd=0, even=0, values=values.sum(axis=0),
    )  # fmt: skip


@pytest.mark.parametrize("examples_noise", [0.01, 1.0, 16.0, 30.0, 1e4])
def test_it_settles_within_an_octave_of_the_least_error(examples_noise):
    """Error d·B/E + κ·s²/(N·B), of which the theory's B* = s √(κ·E/(N·d)) is the least."""
    requests = policy(resolve(MEASURED), SIGNATURE)
    plan = requests.plan(RUN, 0, DIGEST, None)
    for number in range(1, 14):
        last = Last(plan, outcome(plan, examples_noise, number))
        plan = requests.plan(RUN, number, DIGEST, last)
        assert plan.num_directions * plan.batch == 128 * 16
    best = math.sqrt(WORSE * examples_noise * 128 * 16 / (CLIENTS * SIGNATURE.dimension))
    assert 0.5 <= plan.batch / min(16, max(1, best)) <= 2


def test_the_ratio_is_that_of_the_average():
    plan = first_plan(resolve(MEASURED, {"probe": {"num_directions": 4096}}), SIGNATURE)
    found = noise_to_signal(Last(plan, outcome(plan, 80.0)))
    assert found == pytest.approx(80 / 16 / CLIENTS, rel=0.1)


def test_it_stays_where_nothing_was_measured():
    plan = first_plan(resolve(MEASURED), SIGNATURE)
    found = outcome(plan, 1.0)
    nothing = Outcome(RUN, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, found.values[:0])
    alone = Outcome(RUN, 0, 1, 1, 1, 0, 0, 0, 256, 0, 0, np.ones_like(found.values))
    split = Split(2048, 16, 2000)
    for one in (nothing, alone):
        assert split.choose(Last(plan, one)) == (128, 16)


def test_bounds_are_those_of_the_largest_number_of_directions():
    settings = resolve(MEASURED)
    assert most_directions(settings) == 2048
    assert most_directions(resolve(MEASURED, {"probe": {"split": "fixed"}})) == 128
    large = {"probe": {"num_directions": 2**20, "batch": 64, "split": "measured"}}
    with pytest.raises(ConfigError, match="must not pass"):
        policy(resolve(MEASURED, large), SIGNATURE)


def test_without_a_batch_there_is_nothing_to_split():
    with pytest.raises(ConfigError, match="split"):
        first_plan(resolve(MEASURED, {"probe": {"batch": 0}}), SIGNATURE)
