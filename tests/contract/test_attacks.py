"""Every attack: legal reports, the same bits again; and every rule against every attack."""

import numpy as np
import pytest

from baffle.aggregation.rules import make_rule
from baffle.drivers.local.hostile import ATTACKS, Scene, attack_words, make_attack
from baffle.protocol.packing import pack, unpack
from baffle.quantisation import Quantiser
from tests.contract.rules import name_of, rules

EACH = pytest.mark.parametrize("attack", [make_attack(name) for name in ATTACKS], ids=list(ATTACKS))
ROBUST = pytest.mark.parametrize("rule", [r for r in rules() if r.name != "sum"], ids=name_of)
N, HOSTILE, LENGTH = 20, 4, 64


def scene(bits, hostile=HOSTILE, length=LENGTH, clients=N):
    quantiser = Quantiser(bits, 0)
    rng = np.random.default_rng(bits)
    honest = rng.integers(-quantiser.limit, quantiser.limit, (hostile, length), endpoint=True)
    honest = np.where(honest, honest, 1)
    words = attack_words(7, 3, np.arange(hostile), length)
    return Scene(quantiser, np.sign(honest) if bits == 1 else honest, clients, words)


@EACH
@pytest.mark.parametrize("bits", [1, 2, 8, 16, 24])
@pytest.mark.parametrize("hostile", [1, 4, 15])
def test_what_is_reported_is_legal(attack, bits, hostile):
    known = scene(bits, hostile)
    before = known.honest.copy()
    found = attack.values(known)
    assert found.shape == known.honest.shape
    assert found.dtype == np.int64
    assert np.abs(found).max() <= known.quantiser.limit
    for row in found:
        assert np.array_equal(unpack(pack(row, bits), len(row), bits), row)
    assert np.array_equal(known.honest, before)
    assert np.array_equal(attack.values(scene(bits, hostile)), found)


@EACH
def test_an_attack_is_on_the_data_or_on_the_reports(attack):
    known, targets = scene(16), np.arange(10)
    on_data = not np.array_equal(attack.targets(targets, 10), targets)
    on_reports = not np.array_equal(attack.values(known), known.honest)
    assert on_data + on_reports == 1


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def attacked(name):
    """Return (truth, rows): 16 honest reports with noise, 4 hostile ones, in any order."""
    rng = np.random.default_rng(5)
    truth = rng.standard_normal(LENGTH)
    reports = truth + 0.5 * rng.standard_normal((N, LENGTH))
    reports = np.rint(1000 * reports).astype(np.int64)
    words = attack_words(7, 0, np.arange(HOSTILE), LENGTH)
    known = Scene(Quantiser(16, 0), reports[:HOSTILE], N, words)
    reports[:HOSTILE] = make_attack(name).values(known)
    return truth, reports[rng.permutation(N)]


@ROBUST
@pytest.mark.parametrize("name", [n for n in ATTACKS if n != "label_flip"])
def test_a_fifth_hostile_leaves_every_rule_pointing_right(rule, name):
    truth, rows = attacked(name)
    assert cosine(rule.combine(rows).values, truth) > 0.8


@pytest.mark.parametrize("name", ["scaling", "random"])
def test_the_sum_falls_to_what_its_bits_allow(name):
    truth, rows = attacked(name)
    assert cosine(make_rule("sum").combine(rows).values, truth) < 0.5
