"""Every rule through one battery: exact, of any order, and deaf to a hostile minority."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from baffle.aggregation.rules import RULES, make_rule, require_each
from baffle.errors import BoundError, ConfigError
from tests.contract.rules import SLOW, name_of, rules

EACH = pytest.mark.parametrize("rule", rules(), ids=name_of)
ROBUST = pytest.mark.parametrize("rule", [r for r in rules() if r.name != "sum"], ids=name_of)
LEVEL = 2**23 - 1  # the largest of 24 bits
# A rule whose coordinates stay in the honest range, whatever a minority sends.
IN_RANGE = ("median", "trimmed_mean", "krum", "multi_krum")


def tables(rule, largest, most=13):
    """Draw int64 [n, L] with enough rows for the rule; few levels make many ties."""
    counts = [n for n in range(1, most) if n >= rule.least(n)]
    return st.tuples(st.sampled_from(counts), st.integers(1, 4)).flatmap(
        lambda shape: npst.arrays(np.int64, shape, elements=st.integers(-largest, largest))
    )


def test_the_battery_covers_the_registry():
    assert {rule.name for rule in rules()} == set(RULES) == set(SLOW)


@EACH
@pytest.mark.parametrize("largest", [1, 5, LEVEL])
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_it_is_the_slow_truth(rule, largest, data):
    rows = data.draw(tables(rule, largest))
    found = rule.combine(rows)
    assert (found.values.tolist(), found.weight) == SLOW[rule.name](rule, rows.tolist())
    assert found.values.dtype == np.int64
    assert found.weight == found.weight_squares == rule.weight(len(rows))


@EACH
@pytest.mark.parametrize("largest", [1, 3, LEVEL])
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_the_order_of_the_rows_does_not_matter(rule, largest, data):
    rows = data.draw(tables(rule, largest))
    order = data.draw(st.permutations(range(len(rows))))
    one, two = rule.combine(rows), rule.combine(rows[order])
    assert np.array_equal(one.values, two.values)
    assert (one.weight, one.weight_squares) == (two.weight, two.weight_squares)


@EACH
@pytest.mark.parametrize(("n", "length"), [(300, 6), (299, 3), (31, 40)])
@pytest.mark.parametrize("largest", [LEVEL, 2**40])
def test_it_is_exact_at_full_range_and_many_rows(rule, n, length, largest):
    """2^40: sums of groups. There a squared distance passes 64 bits, and a float would round."""
    rng = np.random.default_rng(n)
    rows = rng.integers(-largest, largest, (n, length), endpoint=True)
    rows[: n // 3] = np.sign(rows[: n // 3]) * largest
    found = rule.combine(rows)
    assert (found.values.tolist(), found.weight) == SLOW[rule.name](rule, rows.tolist())


@EACH
def test_alike_rows_give_what_they_say(rule):
    row = np.array([5, -LEVEL, 0, 1])
    found = rule.combine(np.tile(row, (11, 1)))
    shrunk = getattr(rule, "multiple", 1.0) * row
    assert (np.abs(found.values - found.weight * shrunk) < found.weight).all()
    if shrunk[0] == 5:
        assert np.array_equal(found.values, found.weight * row)


@EACH
@settings(deadline=None, max_examples=25)
@given(data=st.data(), factor=st.integers(1, 1000))
def test_a_multiple_of_the_rows_gives_the_multiple(rule, data, factor):
    rows = data.draw(tables(rule, 50))
    one, two = rule.combine(rows), rule.combine(factor * rows)
    off = np.abs(two.values - factor * one.values).max()
    # Truncation, below a level a row, and a bound that is rounded to whole squared levels.
    assert off <= (2 * factor * len(rows) if rule.name == "norm_bound" else 0)
    assert two.weight == one.weight


@pytest.mark.parametrize("rule", [r for r in rules() if r.name != "norm_bound"], ids=name_of)
@settings(deadline=None, max_examples=25)
@given(data=st.data(), shift=st.lists(st.integers(-LEVEL, LEVEL), min_size=4, max_size=4))
def test_a_shift_of_the_rows_shifts_the_mean(rule, data, shift):
    rows = data.draw(tables(rule, 50))
    moved = np.array(shift[: rows.shape[1]])
    one, two = rule.combine(rows), rule.combine(rows + moved)
    assert np.array_equal(two.values, one.values + one.weight * moved)


@EACH
def test_used_names_the_rows_that_were_summed(rule):
    rows = np.random.default_rng(0).integers(-LEVEL, LEVEL, (12, 5))
    found = rule.combine(rows)
    if rule.name in ("median", "trimmed_mean"):
        assert found.used is None
        return
    assert list(found.used) == sorted(set(found.used))
    kept = rule.bounded(rows) if rule.name == "norm_bound" else rows
    assert np.array_equal(kept[list(found.used)].sum(axis=0), found.values)
    assert len(found.used) == found.weight


@ROBUST
@pytest.mark.parametrize("n", [9, 10, 20, 21])
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_as_many_hostile_rows_as_it_withstands_stay_in_bounds(rule, n, data):
    """Honest rows stand together; the hostile ones are anything that their bits allow."""
    hostile = rule.withstands(n)
    honest = 1000 + np.random.default_rng(n).integers(-20, 21, (n - hostile, 3))
    level = st.one_of(st.integers(-LEVEL, LEVEL), st.integers(900, 1100))
    sent = data.draw(npst.arrays(np.int64, (hostile, 3), elements=level))
    rows = np.concatenate((honest, sent))
    found = rule.combine(rows)
    mean = found.values / found.weight
    if rule.name == "norm_bound":
        longest = rule.multiple * np.linalg.norm(honest, axis=1).max()
        assert np.linalg.norm(rule.bounded(rows), axis=1).max() <= longest
        assert np.linalg.norm(mean) <= longest
        return
    # A chosen row is honest or nearer to honest ones than they are to one another.
    slack = 2 * np.ptp(honest) * np.sqrt(3 * n) if "krum" in rule.name else 0
    assert (mean >= honest.min(axis=0) - slack).all()
    assert (mean <= honest.max(axis=0) + slack).all()


@ROBUST
def test_one_extreme_report_does_not_carry_the_round(rule):
    """What the sum cannot: 9 clients find +100, one claims the least level."""
    rows = np.full((10, 4), 100)
    rows[3] = -LEVEL
    assert (make_rule("sum").combine(rows).values < 0).all()
    assert (rule.combine(rows).values > 0).all()


@EACH
def test_too_few_rows_are_refused(rule):
    works = [n for n in range(1, 40) if n >= rule.least(n)]
    assert works[0] == {"sum": 1, "krum": 5, "multi_krum": 5}.get(rule.name, 3)
    for n in range(1, 40):
        rows = np.zeros((n, 2), dtype=np.int64)
        if n in works:
            assert rule.combine(rows).weight == rule.weight(n) >= 1
            continue
        with pytest.raises(ConfigError, match=f"at least {rule.least(n)} reports.*got {n}"):
            rule.combine(rows)


def test_a_run_is_refused_before_it_begins_if_a_round_could_fail():
    rule = make_rule("krum", share=0.4)
    require_each(rule, 11, 11)
    with pytest.raises(ConfigError, match=r"krum: expected at least 11 .* to withstand 4, got 10"):
        require_each(rule, 9, 11)


@EACH
def test_sums_that_leave_64_bits_are_refused(rule):
    fits = (2**63 - 1) // rule.weight(9)
    rows = np.full((9, 1), fits)
    assert rule.combine(rows).values[0] > 2**62
    if rule.weight(9) > 1:
        with pytest.raises(BoundError, match="not below 2\\^63"):
            rule.combine(rows + 1)


@pytest.mark.parametrize("name", ["trimmed_mean", "krum", "multi_krum"])
@pytest.mark.parametrize("share", [0.0, -0.1, 0.5, 1.0, float("nan")])
def test_a_share_that_no_rule_withstands_is_refused(name, share):
    with pytest.raises(ConfigError, match="share"):
        make_rule(name, share=share)


@pytest.mark.parametrize("multiple", [0.0, -1.0, float("inf"), float("nan")])
def test_a_multiple_that_bounds_nothing_is_refused(multiple):
    with pytest.raises(ConfigError, match="multiple"):
        make_rule("norm_bound", multiple=multiple)


def test_an_unknown_rule_is_refused_with_the_names():
    with pytest.raises(ConfigError, match=r"sum, median, .* got 'mode'"):
        make_rule("mode")
