"""Which cells run, in which order, with which settings: a function of what is stored."""

import pytest

from baffle.drivers.compare.cells import pending, standing, total_cells
from baffle.drivers.compare.spec import Comparison, Contender, from_manifest
from baffle.errors import ConfigError
from tests.compare.lines import worked
from tests.compare.made import carried_out, comparison


def test_each_contender_has_a_pilot_the_trials_a_run_a_key_and_its_memory():
    asked = comparison()
    lines, order = carried_out(asked)
    for contender in asked.contenders:
        kinds = [c.kind for c in order if c.contender == contender.name]
        assert sorted(kinds) == ["memory", "pilot", "run", "run", "trial", "trial", "trial"]
    assert len(lines) == total_cells(asked, {}) == total_cells(asked, lines) == 14


def test_keys_are_outermost_and_trials_precede_the_runs():
    _, order = carried_out(comparison())
    runs = [(c.detail, c.contender) for c in order if c.kind == "run"]
    assert runs == [
        ("key 0", "baffle"), ("key 0", "baffle-paper"), ("key 1", "baffle"),
        ("key 1", "baffle-paper"),
    ]  # fmt: skip
    kinds = [c.kind for c in order]
    assert kinds.index("run") > max(i for i, kind in enumerate(kinds) if kind == "trial")


def test_it_goes_on_from_any_number_of_lines_with_the_same_cells():
    asked = comparison()
    lines, order = carried_out(asked)
    for done in range(1, len(order), 3):
        kept = {c.id: lines[c.id] for c in order[:done]}
        again, _ = carried_out(asked, lines=kept)
        assert again == lines


def test_every_algorithm_gets_the_same_trials_under_a_key_that_no_run_has():
    asked = comparison()
    _, order = carried_out(asked)
    trials = [c for c in order if c.kind == "trial"]
    assert {c.settings["rounds"] for c in trials} == {20}  # a fifth of 1000 / 10
    assert all(c.settings["key"] not in asked.keys for c in trials)
    counts = [sum(t.contender == c.name for t in trials) for c in asked.contenders]
    assert counts == [3, 3]


def test_the_step_size_of_the_runs_is_the_best_trials_scaled_to_their_length():
    lines, order = carried_out(comparison(), lambda cell: worked(cell, best=0.32))
    steps = {c.settings["update"]["step_size"] for c in order if c.kind == "run"}
    assert list(steps) == [pytest.approx(0.32 * 0.2 ** (1 / 3), rel=0.01)]
    assert standing(comparison(), comparison().contenders[0], lines).step_size in steps


def test_without_trials_the_settings_own_step_size_is_taken():
    asked = comparison(("baffle-paper",), trials=0)
    _, order = carried_out(asked)
    assert {c.settings["update"]["step_size"] for c in order if c.kind == "run"} == {0.01}


def test_data_cohort_model_and_engine_are_the_same_for_a_key():
    _, order = carried_out(comparison())
    runs = [c.settings for c in order if c.detail == "key 1"]
    for section in ("data", "model", "key"):
        assert runs[0][section] == runs[1][section]
    assert [r["engine"]["chunk"] for r in runs] == [16, 16]  # as the pilot found it
    assert [r["engine"]["threads"] for r in runs] == [1, 1]


def test_a_budget_below_one_round_leaves_the_contender_out():
    asked = comparison(budget=5.0)
    lines, order = carried_out(asked)
    assert {c.kind for c in order} == {"pilot", "memory"}
    assert len(lines) == total_cells(asked, lines)


def test_with_equal_memory_a_client_gets_less_until_it_fits():
    asked = comparison(equal="memory", budget=100e6, length=1000.0)

    def line(cell):
        return worked(cell, peak=60e6 + 2e6 * cell.settings["probe"]["batch"])

    _, order = carried_out(asked, line)
    tried = [c.settings["probe"]["batch"] for c in order if c.kind == "memory"]
    assert tried == [32, 32, 16] * 2  # as given, one point a pass, half the batch
    runs = [c.settings for c in order if c.kind == "run"]
    assert {r["probe"]["batch"] for r in runs} == {16}
    assert all(r["engine"]["low_memory"] for r in runs)


def test_where_the_budget_would_be_few_rounds_batches_are_halved_for_all_alike():
    asked = comparison(budget=300.0)  # 30 rounds at a batch of 32

    def line(cell):
        return worked(cell, each=10 * cell.settings["probe"]["batch"] / 32)

    lines, order = carried_out(asked, line)
    pilots = [c.settings["probe"]["batch"] for c in order if c.kind == "pilot"]
    assert pilots == [32, 8, 32, 8]
    runs = [(c.settings["probe"]["batch"], c.settings["rounds"]) for c in order if c.kind == "run"]
    assert runs == [(8, 120)] * 4
    assert len(lines) == total_cells(asked, lines) == 16
    _, kept = carried_out(comparison(budget=300.0, least_rounds=0), line)
    assert {c.settings["probe"]["batch"] for c in kept} == {32}


def test_bytes_do_not_follow_the_batch_so_it_stays():
    _, order = carried_out(comparison(equal="bytes", budget=100.0))
    assert {c.settings["probe"]["batch"] for c in order} == {32}


def test_what_never_fits_is_tried_to_the_last_and_then_left_out():
    asked = comparison(("baffle",), equal="memory", budget=1e6, length=1000.0)
    lines, order = carried_out(asked)
    assert {c.kind for c in order} == {"pilot", "memory"}
    assert order[-1].settings["probe"]["batch"] == 1
    assert pending(asked, lines) == []


def test_a_manifest_says_everything_and_comes_back():
    asked = comparison(equal="seconds", share=0.5)
    assert from_manifest(asked.manifest()) == asked
    assert comparison().id != comparison(budget=1001.0).id
    assert comparison().id == comparison().id
    with pytest.raises(ConfigError, match="format"):
        from_manifest({**asked.manifest(), "format": 99})


def test_a_manifest_tells_what_defaults_came_to(monkeypatch):
    asked = comparison()
    before, taken = asked.manifest()["program"], Comparison.settings

    def settings(self, contender, key, *more):
        return taken(self, contender, key, *more, {"federation": {"clients": 11}})

    monkeypatch.setattr(Comparison, "settings", settings)  # as if a default had changed
    assert asked.manifest()["program"]["settings"] != before["settings"]


@pytest.mark.parametrize(
    "wrong",
    [{"equal": "luck"}, {"budget": 0.0}, {"keys": ()}, {"trials": -1}, {"share": 1.5}],
)
def test_what_makes_no_comparison_is_refused(wrong):
    with pytest.raises(ConfigError):
        comparison(**wrong)


def test_contenders_must_learn_the_same():
    one = Contender("a", {"algorithm": "baffle"})
    other = Contender("b", {"algorithm": "baffle", "federation": {"clients": 3}})
    with pytest.raises(ConfigError, match="different clients"):
        Comparison((one, other))
    with pytest.raises(ConfigError, match="one name"):
        Comparison((one, one))
