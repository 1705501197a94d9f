"""ε against closed forms, a published figure, and another accountant; and it is monotone."""

import builtins
import math

import pytest
from scipy import optimize, stats

from baffle.errors import ConfigError
from baffle.privacy import accountant, epsilon, noise_multiplier_for, rounds_within


def exact_epsilon(z, rounds, delta):
    """Return ε of the continuous Gaussian mechanism (Balle and Wang 2018)."""
    mu = math.sqrt(rounds) / z

    def excess(e):
        first, second = stats.norm.cdf(mu / 2 - e / mu), stats.norm.logcdf(-mu / 2 - e / mu)
        return first - math.exp(e + second) - delta

    return optimize.brentq(excess, 0, 200) if excess(0) > 0 else 0.0


@pytest.mark.parametrize(("z", "rounds"), [(0.7, 1), (1.0, 1), (4.0, 10), (50.0, 1000), (9.0, 300)])
def test_above_the_exact_gaussian_and_not_far(z, rounds):
    exact = exact_epsilon(z, rounds, 1e-5)
    assert exact <= epsilon(z, rounds, 1e-5) <= 1.12 * exact + 0.01


@pytest.mark.parametrize("z", [0.8, 3.0, 20.0])
def test_the_closed_form_of_renyi_bounds(z):
    # Conversion of Canonne, Kamath and Steinke 2020, proposition 12, over a fine grid of orders.
    orders = [1.01 * 1.003**i for i in range(2500)]
    delta = 1e-6 * (1 - accountant.RESERVE)
    closed = min(
        a / (2 * z * z) + math.log1p(-1 / a) - math.log(delta * a) / (a - 1) for a in orders
    )
    assert epsilon(z, 1, 1e-6) == pytest.approx(closed, rel=0.01)


def test_the_published_figure_of_a_sampled_gaussian():
    # TensorFlow Privacy's tutorial: 60,000 examples, batches of 250, z = 1.3, 15 epochs, δ = 1e-5:
    # ε = 1.18 with the conversion of Mironov 2017, and less with the tighter one.
    orders, each = accountant._renyi(1.3, 250 / 60000)
    published = min(15 * 240 * each + math.log(1e5) / (orders - 1))
    assert published == pytest.approx(1.18, abs=0.005)
    assert 0.8 < epsilon(1.3, 15 * 240, 1e-5, sampling=250 / 60000) < published


def test_sampling_amplifies_and_a_whole_rate_does_not():
    assert epsilon(1.0, 100, 1e-5, sampling=0.01) < 0.1 * epsilon(1.0, 100, 1e-5)
    assert epsilon(1.0, 100, 1e-5, sampling=1.0) == pytest.approx(epsilon(1.0, 100, 1e-5), rel=1e-3)


def test_integer_orders_cost_little():
    from dp_accounting import dp_event, pld

    event = dp_event.PoissonSampledDpEvent(0.02, dp_event.GaussianDpEvent(1.5))
    tight = pld.PLDAccountant()
    tight.compose(event, 200)
    exact = tight.get_epsilon(1e-5)
    assert exact <= epsilon(1.5, 200, 1e-5, sampling=0.02) <= 1.3 * exact


@pytest.mark.parametrize("sampling", [None, 0.05])
def test_monotone_in_noise_rounds_and_delta(sampling):
    by_noise = [epsilon(z, 50, 1e-5, sampling) for z in (0.8, 1, 2, 5, 20)]
    by_rounds = [epsilon(2.0, n, 1e-5, sampling) for n in (1, 2, 10, 100, 1000)]
    by_delta = [epsilon(2.0, 50, d, sampling) for d in (1e-9, 1e-7, 1e-5, 1e-3)]
    assert by_noise == sorted(by_noise, reverse=True)
    assert by_rounds == sorted(by_rounds)
    assert by_delta == sorted(by_delta, reverse=True)


@pytest.mark.parametrize("sampling", [None, 0.05])
@pytest.mark.parametrize("target", [8.0, 1.0])
def test_the_noise_found_keeps_the_target_and_a_step_less_does_not(target, sampling):
    z = noise_multiplier_for(target, 1e-5, 100, sampling)
    assert z * 2**10 == int(z * 2**10)
    assert epsilon(z, 100, 1e-5, sampling) <= target < epsilon(z - 2**-10, 100, 1e-5, sampling)


def test_the_rounds_found_keep_the_budget_and_one_more_does_not():
    rounds = rounds_within(4.0, 5.0, 1e-5)
    assert epsilon(5.0, rounds, 1e-5) <= 4.0 < epsilon(5.0, rounds + 1, 1e-5)
    assert rounds_within(0.01, 0.5, 1e-5) == 0
    assert rounds_within(10.0, 60000.0, 1e-5) == accountant.MOST_ROUNDS


def test_no_round_costs_nothing_and_almost_no_noise_promises_nothing():
    assert epsilon(1.0, 0, 1e-5) == 0.0
    assert epsilon(0.05, 1, 1e-5) == math.inf


def test_what_cannot_be_reached_is_refused():
    with pytest.raises(ConfigError, match="no noise multiplier"):
        noise_multiplier_for(1e-9, 1e-9, 10**6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: epsilon(0.0, 1, 1e-5), "noise multiplier"),
        (lambda: epsilon(1.0, 1, 0.0), "δ"),
        (lambda: epsilon(1.0, 1, 1e-5, sampling=0.0), "sampling rate"),
        (lambda: noise_multiplier_for(0.0, 1e-5, 1), "target"),
        (lambda: rounds_within(-1.0, 1.0, 1e-5), "budget"),
    ],
)
def test_out_of_range_is_refused(call, words):
    with pytest.raises(ConfigError, match=words):
        call()


def test_without_the_extra_the_error_names_it(monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name.startswith("dp_accounting"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    accountant._renyi.cache_clear()
    with pytest.raises(ConfigError, match=r"baffle\[privacy\]"):
        epsilon(1.0, 1, 1e-5)
