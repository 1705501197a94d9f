"""Who is hostile, and what each attack sends."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, norm

import baffle.drivers.local.hostile as package
from baffle.drivers.local.faults import DROPOUT, SLOW
from baffle.drivers.local.hostile import (
    Scene,
    attack_words,
    hostile_clients,
    make_attack,
)
from baffle.drivers.local.hostile.alie import largest_z
from baffle.drivers.local.hostile.base import HOSTILE, LEVELS
from baffle.errors import ConfigError
from baffle.quantisation import Quantiser

MODULES = [m.name for m in pkgutil.iter_modules(package.__path__)]


def scene(honest, bits=16, clients=10, words=None):
    rows = np.array(honest, dtype=np.int64)
    words = np.zeros(rows.shape, dtype=np.uint32) if words is None else words
    return Scene(Quantiser(bits, 0), rows, clients, words)


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_the_docstrings_run(module):
    results = doctest.testmod(importlib.import_module(f"{package.__name__}.{module}"))
    assert results.failed == 0


@given(st.integers(0, 2**64 - 1), st.integers(1, 300), st.sampled_from([0, 0.1, 0.29, 0.5, 1]))
def test_exactly_the_share_is_hostile_and_the_same_again(key, clients, share):
    found = hostile_clients(key, clients, share)
    assert len(found) == round(share * 100) * clients // 100
    assert found <= set(range(clients))
    assert found == hostile_clients(key, clients, share)


def test_every_client_is_hostile_under_as_many_keys():
    times = np.zeros(10)
    for key in range(2000):
        times[list(hostile_clients(key, 10, 0.3))] += 1
    assert times.sum() == 6000
    assert chisquare(times).pvalue > 1e-3


def test_hostility_shares_no_random_numbers_with_other_faults():
    assert len({DROPOUT, SLOW, HOSTILE, LEVELS}) == 4


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(share):
    with pytest.raises(ConfigError, match="hostile share"):
        hostile_clients(1, 10, share)


def test_sign_flip():
    assert make_attack("sign_flip").values(scene([[1, -2, 0]])).tolist() == [[-1, 2, 0]]


def test_scaling_stops_at_the_limit():
    honest = [[100, -30_000, 0]]
    assert make_attack("scaling").values(scene(honest)).tolist() == [[-1000, 32767, 0]]
    assert make_attack("scaling", 2.5).values(scene(honest)).tolist() == [[250, -32767, 0]]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_random_levels_are_alike_and_each_clients_own(bits):
    words = attack_words(3, 1, np.array([4, 9]), 20_000)
    found = make_attack("random").values(scene(np.ones(words.shape), bits, words=words))
    levels, times = np.unique(found, return_counts=True)
    assert levels.tolist() == {1: [-1, 1], 2: [-1, 0, 1], 4: list(range(-7, 8))}[bits]
    assert chisquare(times).pvalue > 1e-3
    assert np.mean(found[0] == found[1]) < 0.6


def test_attack_words_differ_by_key_round_and_client():
    base = attack_words(3, 1, np.array([4, 9]), 8)
    drawn = [base[0], base[1], attack_words(4, 1, np.array([4]), 8)[0],
             attack_words(3, 2, np.array([4]), 8)[0]]  # fmt: skip
    assert len({row.tobytes() for row in drawn}) == 4
    assert np.array_equal(attack_words(3, 1, np.array([9]), 8)[0], base[1])


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_labels_flip_and_flip_back(dtype):
    attack, targets = make_attack("label_flip"), np.arange(10, dtype=dtype)
    flipped = attack.targets(targets, 10)
    assert flipped.tolist() == list(range(9, -1, -1))
    assert flipped.dtype == dtype
    assert np.array_equal(attack.targets(flipped, 10), targets)


@pytest.mark.parametrize(
    "targets", [np.array([0.5]), np.array([True]), np.array([10]), np.array([-1])]
)
def test_targets_that_are_no_classes_are_refused(targets):
    with pytest.raises(ConfigError, match="label_flip: expected"):
        make_attack("label_flip").targets(targets, 10)


def test_colluders_send_one_row_of_mean_minus_z_deviations():
    honest = np.random.default_rng(0).integers(-900, 900, (24, 30))
    found = make_attack("alie").values(scene(honest, clients=50))
    z = norm.ppf(24 / 26)  # n = 50, m = 24: s = 2 supporters, (50 − 24 − 2)/(50 − 24)
    wanted = honest.mean(axis=0) - z * honest.std(axis=0, ddof=1)
    assert np.abs(found[0] - wanted).max() <= 0.5 + 1e-6
    assert (found == found[0]).all()
    by_hand = make_attack("alie", 1.5).values(scene(honest))
    wanted = honest.mean(axis=0) - 1.5 * honest.std(axis=0, ddof=1)
    assert np.abs(by_hand - wanted).max() <= 0.5 + 1e-6


def test_one_colluder_knows_no_spread():
    assert make_attack("alie", 2.0).values(scene([[7, -3]])).tolist() == [[7, -3]]


def test_z_grows_with_the_hostile_share_and_has_an_end():
    found = [largest_z(100, m) for m in range(1, 100)]
    assert found == sorted(found)
    assert found[0] == 0
    assert found[-1] == pytest.approx(norm.ppf(0.999))
    assert largest_z(100, 20) == pytest.approx(norm.ppf(49 / 80))


def test_inner_product_points_against_the_mean():
    found = make_attack("inner_product", 0.5).values(scene([[10, -20], [30, -40]]))
    assert found.tolist() == [[-10, 15], [-10, 15]]


def test_unknown_names_and_useless_strengths_are_refused():
    with pytest.raises(ConfigError, match=r"sign_flip, scaling, .* got 'lie'"):
        make_attack("lie")
    with pytest.raises(ConfigError, match="sign_flip has no strength"):
        make_attack("sign_flip", 2.0)
    for name, bad in (("scaling", np.inf), ("alie", np.nan), ("inner_product", 0.0)):
        with pytest.raises(ConfigError, match=name):
            make_attack(name, bad)
