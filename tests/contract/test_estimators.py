"""Every estimator on losses that are known in closed form, and the oracle of the linear loss."""

import numpy as np
import pytest

from baffle.directions import KINDS, ModelSignature, Place, TensorSpec, make_kind
from baffle.estimators import ESTIMATORS
from baffle.updates import NUMPY
from baffle.updates.rebuild import Sums, estimate

EACH = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
SIGNATURE = ModelSignature((TensorSpec("w", (4, 3)), TensorSpec("b", (4,))))
GRADIENT = np.random.default_rng(0).standard_normal(16)
CURVATURE = np.random.default_rng(1).standard_normal((16, 16))


def directions(kind, count, round_=0):
    """Return [count, 16] real entries, b before w as in canonical order."""
    place, numbers = Place(kind_key, round_), np.arange(count, dtype=np.uint32)
    parts = [
        kind.draw(place.stream(n), numbers, t, None).dense().reshape(count, -1)
        for n, t in SIGNATURE.trained
    ]
    return np.concatenate(parts, axis=1) * 2.0**kind.unit_exponent


kind_key = 11
KIND = make_kind("rank_one", kind_key)


def losses(estimator, radius, count=64, pairs=0, curved=0.0, constant=0.7):
    layout = estimator.layout(count, pairs)
    steps = radius * layout.signs[:, None] * directions(KIND, count)[layout.directions]
    even = 0.5 * curved * np.einsum("pi,ij,pj->p", steps, CURVATURE, steps)
    return constant + steps @ GRADIENT + even


@EACH
def test_a_linear_loss_gives_the_derivatives(estimator):
    found = estimator.derivatives(losses(estimator, 2.0**-9), 64, 0, 2.0**-9)
    exact = directions(KIND, 64) @ GRADIENT
    if estimator.name == "mean_baseline":
        exact = (exact - exact.mean()) * 64 / 63
    assert found.finite.all()
    assert found.values == pytest.approx(exact, abs=1e-9)


@EACH
def test_adding_a_constant_to_the_loss_changes_nothing(estimator):
    """Raw losses without a baseline: a peer's defect."""
    one = estimator.derivatives(losses(estimator, 0.25, constant=0.0), 64, 0, 0.25)
    two = estimator.derivatives(losses(estimator, 0.25, constant=1e3), 64, 0, 0.25)
    assert one.values == pytest.approx(two.values, abs=1e-9)


@EACH
def test_the_estimate_does_not_scale_with_the_radius(estimator):
    small, large = (
        estimator.derivatives(losses(estimator, r), 64, 0, r).values.std()
        for r in (2.0**-12, 2.0**-3)
    )
    assert small == pytest.approx(large, rel=1e-6)


@EACH
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_left_out_and_counted(estimator, bad):
    values = losses(estimator, 0.25)
    values[-1] = bad
    found = estimator.derivatives(values, 64, 0, 0.25)
    assert not found.finite[63]
    assert found.finite.sum() == 63
    assert found.values[63] == 0
    assert np.isfinite(found.values).all()
    assert np.isfinite(found.loss)


@EACH
def test_all_losses_lost_is_no_crash(estimator):
    values = np.full(len(estimator.layout(8, 0).signs), np.nan)
    found = estimator.derivatives(values, 8, 0, 0.25)
    assert not found.finite.any()
    assert np.isnan(found.loss)


def test_central_is_free_of_the_even_part():
    central, radius = ESTIMATORS["central"], 0.25
    found = central.derivatives(losses(central, radius, curved=5.0), 64, 0, radius)
    assert found.values == pytest.approx(directions(KIND, 64) @ GRADIENT, abs=1e-9)


def test_pairs_measure_odd_and_even_energy():
    estimator, radius, curved = ESTIMATORS["mean_baseline"], 0.25, 3.0
    found = estimator.derivatives(
        losses(estimator, radius, pairs=16, curved=curved), 64, 16, radius
    )
    z = directions(KIND, 64)[:16]
    even = 0.5 * curved * radius * np.einsum("pi,ij,pj->p", z, CURVATURE, z)
    assert found.odd == pytest.approx(np.mean((z @ GRADIENT) ** 2), rel=1e-9)
    assert found.even == pytest.approx(np.var(even, ddof=1), rel=1e-9)


def relative_errors(kind_name, estimator, K, keys):
    """Return the estimate's squared relative error under each key, by the library's rebuild."""
    errors = []
    for key in range(keys):
        kind = make_kind(kind_name, key)
        numbers = np.arange(K, dtype=np.uint32)
        z = np.concatenate(
            [
                kind.draw(Place(key, 5).stream(n), numbers, t, WEIGHTS).dense().reshape(K, -1)
                for n, t in SIGNATURE.trained
            ],
            axis=1,
        )
        d = (z * 2.0**kind.unit_exponent) @ GRADIENT
        q = np.rint(d * 2**24).astype(np.int64)
        sums = Sums(q[None], 1, -24, (0, 0))
        got = estimate(kind, SIGNATURE, key, 5, 0, sums, WEIGHTS, NUMPY)
        flat = np.concatenate([got["b"].reshape(-1), got["w"].reshape(-1)]).astype(float)
        errors.append(np.sum((flat - GRADIENT) ** 2) / np.sum(GRADIENT**2))
    return np.array(errors)


WEIGHTS = {"w": np.ones((4, 3), np.float32), "b": np.ones(4, np.float32)}


@pytest.mark.parametrize("kind_name", KINDS)
def test_oracle_of_the_linear_loss(kind_name):
    """(d + 1)/K for Gaussian, (d - 1)/K for ±1 and rank-one, within 3 standard errors."""
    K, d = 12, 16
    errors = relative_errors(kind_name, None, K, keys=1500)
    expected = (d + 1) / K if kind_name == "gaussian" else (d - 1) / K
    standard_error = errors.std(ddof=1) / np.sqrt(len(errors))
    assert abs(errors.mean() - expected) < 3 * standard_error, (
        errors.mean(),
        expected,
        standard_error,
    )
