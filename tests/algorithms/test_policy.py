"""What is asked for next: a function of the last plan and outcome, in powers of two."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from baffle.algorithms import SCHEDULES
from baffle.algorithms.policy import (
    BFLOAT16,
    EVEN_SHARE,
    FLOAT16,
    FLOAT32,
    RADIUS_RANGE,
    START_RADIUS_EXPONENT,
    START_STEP_EXPONENT,
    derivative_deviation,
)
from baffle.config import resolve
from baffle.directions import ModelSignature, TensorSpec
from baffle.drivers.build import policy
from baffle.protocol import (
    Last,
    Outcome,
    decode_outcome,
    decode_plan,
    encode_outcome,
    encode_plan,
)

SIGNATURE = ModelSignature((TensorSpec("w", (4, 3)), TensorSpec("b", (4,))))
RUN, DIGEST, REPORTS = b"r" * 16, b"d" * 32, 5
AS_NOW = 4096.0**2  # mean square at which 8 root mean squares span a 16-bit grid


def made(**sections):
    base = {"rounds": 100, "update": {"step_size": 0.5}, "probe": {"num_directions": 24}}
    return policy(resolve(base, sections), SIGNATURE)


def outcome(plan, even=EVEN_SHARE, odd=AS_NOW, energy=AS_NOW, loss=1.0, abandoned=False):
    """`odd` and `energy` as mean squares in steps, `even` as a share of `odd`."""
    values = np.arange(plan.count) * 10 - 100
    return Outcome(
        RUN, plan.round, REPORTS, REPORTS, REPORTS,
        loss=round(loss * 2**16) * REPORTS, clips=0, nonfinite=0,
        energy=round(energy * 256) * REPORTS, odd=round(odd * 256) * REPORTS,
        even=round(even * odd * 256) * REPORTS, values=values[:0] if abandoned else values,
    )  # fmt: skip


def second(requests, first_changes=None, **figures):
    """Return the plans of round 0 and of round 1, after an outcome with these figures."""
    first = replace(requests.plan(RUN, 0, DIGEST, None), **(first_changes or {}))
    last = Last(first, outcome(first, **figures))
    return first, requests.plan(RUN, 1, DIGEST, last)


@pytest.mark.parametrize(
    ("even", "octaves"),
    [
        (EVEN_SHARE, 0),
        (EVEN_SHARE * 1.9, 0),
        (EVEN_SHARE * 4, -1),
        (EVEN_SHARE * 16, -2),
        (EVEN_SHARE * 1e4, -2),
        (EVEN_SHARE / 4, 1),
        (EVEN_SHARE / 1e4, 2),
        (0.0, 2),
    ],
)
def test_the_radius_follows_the_even_share_two_octaves_at_most(even, octaves):
    first, plan = second(made(), even=even)
    assert first.radius_exponent == START_RADIUS_EXPONENT
    assert plan.radius_exponent == START_RADIUS_EXPONENT + octaves


def test_steering_settles_where_the_even_share_is_the_wanted_one():
    requests, curvature = made(), 37.0  # even/odd = curvature σ²
    plan = requests.plan(RUN, 0, DIGEST, None)
    seen = []
    for number in range(1, 12):
        last = Last(plan, outcome(plan, even=curvature * plan.radius**2))
        plan = requests.plan(RUN, number, DIGEST, last)
        seen.append(plan.radius_exponent)
    assert len(set(seen[-4:])) == 1
    assert EVEN_SHARE / 2 <= curvature * plan.radius**2 <= EVEN_SHARE * 2


def test_the_radius_stays_without_a_measurement_and_within_its_range():
    assert second(made(), odd=0.0)[1].radius_exponent == START_RADIUS_EXPONENT
    for edge, even in zip(RADIUS_RANGE, (1e6, 0.0), strict=True):
        # An odd part this large, and a loss this small, keep the losses' rounding out of it.
        changes = {"radius_exponent": edge}
        _, plan = second(made(), changes, even=even, odd=2.0**38, loss=0.001)
        assert plan.radius_exponent == edge


def test_the_radius_grows_where_the_odd_part_drowns_in_the_losses_rounding():
    # Slope 2^-12, loss 1,000: at 2^-9 the odd part is below a hundredth of float32's rounding.
    _, plan = second(made(), even=EVEN_SHARE * 100, odd=1.0, loss=1000.0)
    assert plan.radius_exponent == START_RADIUS_EXPONENT + 2


HALF = {"engine": {"precision": "bfloat16"}}


def test_the_losses_precision_decides_how_far_the_radius_may_shrink():
    # Slope 1/2 a weight, loss 2 and less: half precision needs 2^-8 over the slope.
    slope = (0.5 * 2.0**-START_STEP_EXPONENT) ** 2
    for loss in (2.0, 0.01):
        figures = {"even": EVEN_SHARE * 1e4, "odd": slope, "loss": loss}
        assert second(made(**HALF), **figures)[1].radius_exponent == -7
        assert second(made(), **figures)[1].radius_exponent == START_RADIUS_EXPONENT - 2
    # Where rounding raises both energies alike, the radius grows out of it.
    noise = (2.0**-12 * 2.0 ** (15 - START_STEP_EXPONENT)) ** 2
    _, plan = second(made(**HALF), {"radius_exponent": -15}, even=1.0, odd=noise)
    assert plan.radius_exponent == -13


def test_a_models_own_precision_counts_unless_another_is_set():
    def resolution(dtype, precision="own"):
        own = ModelSignature((TensorSpec("w", (4, 3), dtype), TensorSpec("b", (4,))))
        settings = resolve({"update": {"step_size": 0.5}, "engine": {"precision": precision}})
        return policy(settings, own).resolution

    assert resolution("float32") == resolution("float64") == FLOAT32
    assert resolution("bfloat16") == resolution("float32", "bfloat16") == BFLOAT16
    assert resolution("float16") == FLOAT16
    assert resolution("float16", "bfloat16") == BFLOAT16


@pytest.mark.parametrize(("odd", "octaves"), [(4 / 256, 0), (15 / 256, 0), (16 / 256, 2), (1.0, 2)])
def test_the_radius_stays_where_a_coarse_step_hides_the_even_part(odd, octaves):
    """In units of 1/256 squared steps: an even energy of zero beside so few odd ones is unknown."""
    _, plan = second(made(), even=0.0, odd=odd, loss=2.0**-10)
    assert plan.radius_exponent == START_RADIUS_EXPONENT + octaves


def test_a_radius_and_a_step_that_are_set_stay():
    requests = made(
        probe={"radius": 2.0**-7, "estimator": "central"}, quantisation={"step": 2.0**-5}
    )
    _, plan = second(requests, even=50.0, energy=1e9)
    assert (plan.radius_exponent, plan.step_exponent, plan.estimator.name) == (-7, -5, "central")


@pytest.mark.parametrize(
    ("even", "name", "directions"),
    [(0.96, "mean_baseline", 24), (0.98, "central", 16), (0.0, "mean_baseline", 24)],
)
def test_the_estimator_changes_at_the_crossover_at_equal_probes(even, name, directions):
    first, plan = second(made(probe={"radius": 2.0**-9}), even=even)
    assert (plan.estimator.name, plan.num_directions) == (name, directions)
    assert plan.probes == first.probes == 24 + 8


def test_the_ratio_is_carried_over_to_the_next_radius():
    # Two octaves down divide the ratio by 16: 15 becomes 0.94 and 16 becomes 1.
    assert second(made(), even=15.0)[1].estimator.name == "mean_baseline"
    assert second(made(), even=16.0)[1].estimator.name == "central"


def test_central_differences_go_back_and_stay_without_a_measurement():
    requests = made(probe={"radius": 2.0**-9})
    _, central = second(requests, even=2.0)
    stays = requests.plan(RUN, 2, DIGEST, Last(central, outcome(central, odd=0.0)))
    assert (stays.estimator.name, stays.num_directions, stays.pairs) == ("central", 16, 16)
    back = requests.plan(RUN, 2, DIGEST, Last(central, outcome(central, even=0.5)))
    assert (back.estimator.name, back.num_directions, back.pairs) == ("mean_baseline", 24, 8)
    assert stays.probes == back.probes


@pytest.mark.parametrize(
    ("times", "octaves"), [(1, 0), (1.9, 0), (1 / 1.9, 0), (4, 2), (1 / 8, -3), (2.0**9, 9)]
)
def test_the_quantisation_step_follows_the_spread(times, octaves):
    _, plan = second(made(), energy=AS_NOW * times**2)
    assert plan.step_exponent == START_STEP_EXPONENT + octaves


@pytest.mark.parametrize("bits", [1, 4, 8, 24])
def test_after_one_round_the_grid_spans_the_spread(bits):
    rms = 3.7 * 2.0 ** (bits + 3)
    first, plan = second(made(quantisation={"bits": bits}), energy=rms**2)
    absolute = rms * 2.0 ** (first.step_exponent - plan.step_exponent)
    # Two root mean squares for signs, eight from 13 bits on; to the next power of two.
    wanted = min(8.0, 1.5 + 0.5 * bits)
    assert wanted / math.sqrt(2.01) < plan.quantiser.limit / absolute < wanted * math.sqrt(2.01)


def test_the_step_stays_without_a_spread_and_within_its_range():
    assert second(made(), energy=0.0)[1].step_exponent == START_STEP_EXPONENT
    first, plan = second(made(), {"step_exponent": 125}, energy=2.0**40)
    assert (first.step_exponent, plan.step_exponent) == (125, 126)


@pytest.mark.parametrize("even", [0.0, 0.01, 0.9, 3.0, 40.0])
def test_a_server_that_starts_again_asks_for_the_same(even):
    """From decoded bytes, by an object made anew, whatever was asked between."""
    requests = made(probe={"num_local_steps": 3})
    first, plan = second(requests, even=even, energy=1e5)
    stored = Last(
        decode_plan(encode_plan(first)),
        decode_outcome(encode_outcome(outcome(first, even=even, energy=1e5)), first.count),
    )
    requests.plan(RUN, 50, DIGEST, stored)
    for other in (requests, made(probe={"num_local_steps": 3})):
        assert other.plan(RUN, 1, DIGEST, stored) == plan


def test_what_is_not_chosen_is_round_0s():
    first, plan = second(made(), even=30.0, energy=1e3)
    chosen = {
        n: getattr(first, n)
        for n in ("round", "radius_exponent", "step_exponent", "estimator_code", "pairs",
                  "num_directions", "step_size", "local_factor")
    }  # fmt: skip
    assert replace(plan, **chosen) == first


def test_an_abandoned_round_changes_nothing_it_could_not_measure():
    requests = made(probe={"num_local_steps": 2})
    first = requests.plan(RUN, 0, DIGEST, None)
    nobody = replace(
        outcome(first, abandoned=True), reports=0, weight=0, weight_squares=0, loss=0, energy=0,
        odd=0, even=0,
    )  # fmt: skip
    plan = requests.plan(RUN, 1, DIGEST, Last(first, nobody))
    assert (plan.radius_exponent, plan.step_exponent) == (
        first.radius_exponent,
        first.step_exponent,
    )
    assert plan.local_factor == 0.0
    assert derivative_deviation(Last(first, nobody)) == 0.0


def test_local_steps_follow_the_schedule_and_the_spread():
    update = {"local_step_size": 0.1, "schedule": "linear", "step_size": 0.5}
    plain = made(probe={"num_local_steps": 2}, update=update | {"normalised": False})
    first, plan = second(plain)
    assert (first.local_factor, plan.local_factor) == (
        pytest.approx(0.1),
        pytest.approx(0.1 * 0.99),
    )
    scaled = made(probe={"num_local_steps": 2}, update=update | {"normalised": True})
    first, plan = second(scaled)
    assert first.local_factor == 0.0
    spread = np.std(np.arange(first.count) * 10 - 100) / REPORTS * 2.0**START_STEP_EXPONENT
    assert plan.local_factor == pytest.approx(0.1 * 0.99 / spread, rel=0.02)
    assert second(made())[1].local_factor == 0.0


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_begin_at_the_top_and_never_rise(name):
    for rounds in (1, 2, 10):
        factors = [SCHEDULES[name](r, rounds) for r in range(rounds + 3)]
        assert factors[0] == 1.0
        assert all(a >= b >= 0 for a, b in itertools.pairwise(factors))
    requests = made(update={"schedule": name, "step_size": 0.25})
    assert requests.plan(RUN, 40, DIGEST, None).step_size == 0.25 * SCHEDULES[name](40, 100)


@pytest.mark.parametrize(
    ("name", "middle", "end"), [("constant", 1, 1), ("linear", 0.5, 0), ("cosine", 0.5, 0)]
)
def test_the_middle_and_the_end_of_schedules(name, middle, end):
    assert SCHEDULES[name](50, 100) == pytest.approx(middle)
    assert SCHEDULES[name](100, 100) == pytest.approx(end)
    assert SCHEDULES[name](300, 100) == pytest.approx(end)
