"""Radii by tensor: the scales that make an estimate's error least, and their steadiness."""

import itertools
import math

import numpy as np
import pytest

from baffle.algorithms.radii import LEAST, STICK, TensorRadii, next_scales
from baffle.config import resolve
from baffle.directions import ModelSignature, TensorSpec
from baffle.drivers.build import first_plan
from baffle.errors import ConfigError
from baffle.updates import TrainState

SIZES = {"a": 400, "b": 16, "c": 10}
SURE = dict.fromkeys(SIZES, 0.0)
SIGNATURE = ModelSignature(tuple(TensorSpec(n, (d,)) for n, d in SIZES.items()))


def error(energies, scales):
    """(Σ d/s²)(Σ s²|g|²), K times the squared error."""
    spread = sum(d / 4.0**s for d, s in zip(SIZES.values(), scales, strict=True))
    return spread * sum(
        4.0**s * energies[n] * d for (n, d), s in zip(SIZES.items(), scales, strict=True)
    )


@pytest.mark.parametrize("exponents", list(itertools.product((0, -8, 5), repeat=2)))
def test_no_other_powers_of_two_have_much_less_error(exponents):
    energies = {"a": 1.0, "b": 2.0 ** exponents[0], "c": 2.0 ** exponents[1]}
    found = next_scales(energies, SURE, SIZES, (0, 0, 0)) or (0, 0, 0)
    best = min(error(energies, (0, *s)) for s in itertools.product(range(-5, 6), repeat=2))
    least = sum(d * math.sqrt(energies[n]) for n, d in SIZES.items()) ** 2
    assert least <= best <= error(energies, found) <= 1.3 * least
    assert error(energies, found) <= error(energies, (0, 0, 0)) * (1 + 1e-12)


def test_a_perturbation_stays_about_as_long():
    found = next_scales({"a": 1.0, "b": 1e-4, "c": 1e-3}, SURE, SIZES, (0, 0, 0))
    length = sum(d * 4.0**s for d, s in zip(SIZES.values(), found, strict=True))
    assert 0.5 < length / sum(SIZES.values()) < 2


def test_a_scale_moves_only_by_more_than_noise_and_not_without_limit():
    energies = {"a": 1.0, "b": 2.0 ** (-4 * STICK + 0.1), "c": 1.0}
    assert next_scales(energies, SURE, SIZES, (0, 0, 0)) == ()
    energies["b"] = 1e-30
    found = next_scales(energies, SURE, SIZES, (0, 0, 0))
    assert found[1] - found[0] == -math.log2(LEAST) / 4


def test_nothing_moves_before_there_is_a_measurement():
    nothing = dict.fromkeys(SIZES, 0.0)
    assert next_scales(nothing, SURE, SIZES, (0, 0, 0)) == ()
    assert next_scales(nothing, SURE, SIZES, (0, 1, 0)) == (0, 1, 0)


def test_an_energy_below_its_error_is_taken_for_no_less():
    """One round of 1,000 scalars cannot tell that an energy is 0, whatever it says."""
    own = {"probe": {"num_directions": 1000, "radii": "by_tensor"}}
    plan = first_plan(resolve(own), SIGNATURE)
    kept = {n: np.array([1.0 if n == "a" else -1e-6], np.float32) for n in SIZES}
    scales = TensorRadii(SIGNATURE, 0.0).choose(plan, TrainState(1, {"energies": kept}))
    errors = [2 * math.sqrt(2 / SIZES[n]) / 1000 for n in ("b", "c")]
    wanted = [round(0.25 * math.log2(1 / e)) for e in errors]
    assert [s - scales[0] for s in scales[1:]] == pytest.approx(wanted, abs=1)


def test_masked_directions_are_refused():
    with pytest.raises(ConfigError, match="by_tensor"):
        first_plan(resolve({"probe": {"radii": "by_tensor", "directions": "masked"}}), SIGNATURE)
