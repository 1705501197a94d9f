"""`make fleet`: its plan of kills, its settings, its verdict; and, slowly, the whole of it."""

import json
import random

import pytest

from tools.fleet import demo


def test_the_kills_of_the_demonstration_come_in_order_and_before_the_end():
    plan = demo.planned(12)
    assert [what for _, what in plan] == ["server", "1", "superlink"]
    assert [after for after, _ in plan] == [3, 6, 9]


def test_random_kills_follow_from_their_key():
    plan = demo.drawn(30, 10, key=3)
    assert plan == demo.drawn(30, 10, key=3) != demo.drawn(30, 10, key=4)
    assert len(plan) == 10
    assert all(1 <= after < 30 and what in {"server", "superlink", "0", "1", "2"}
               for after, what in plan)  # fmt: skip
    random.seed(0)
    before = random.random()
    random.seed(0)
    demo.drawn(30, 10, key=3)
    assert random.random() == before  # nobody else's random numbers are touched


def test_the_settings_are_the_undisturbed_runs(tmp_path):
    from baffle.config import resolve
    from baffle.drivers.flower.config import settings_of

    settings, fleet = settings_of(demo.app_config(12, tmp_path, tmp_path / "run"))
    assert settings == resolve(demo.CONFIG, {"rounds": 12})
    assert fleet.secrets == "simulated"


def test_the_settings_with_secure_sums_are_the_undisturbed_runs(tmp_path):
    from baffle.config import resolve
    from baffle.drivers.flower.config import settings_of

    config = demo.config_of(True)
    settings, _ = settings_of(demo.app_config(12, tmp_path, tmp_path / "run", config))
    assert settings == resolve(config, {"rounds": 12})
    assert settings.secure.sums


@pytest.mark.parametrize(("reports", "code"), [([3, 0, 3], 0), ([3, 3, 0], 1)])
def test_a_run_of_secure_sums_that_is_killed_goes_on(reports, code):
    said = []
    assert demo._gone_on(said.append, reports) == code
    assert said == ["3 rounds: 2 summed, 1 abandoned"]


@pytest.mark.parametrize(("found", "code"), [("aa", 0), ("ab", 1)])
def test_the_verdict_is_the_exit_code(found, code):
    said = []
    figures = {"same": found == "aa", "rounds": 2, "kills": ["1"], "digest": found * 32,
               "expected": "aa" * 32}  # fmt: skip
    assert demo._verdict(said.append, figures) == code
    assert ("SAME" if code == 0 else "DIFFERENT") in said[0]
    assert "SuperNode 1" in said[0]


@pytest.mark.slow
@pytest.mark.flower
def test_one_process_a_simulation_and_a_fleet_that_is_killed_make_one_run(tmp_path):
    output = tmp_path / "figures.json"
    asked = ["--rounds", "4", "--simulation", "--keep", str(tmp_path / "fleet")]
    code = demo.main([*asked, "--output", str(output)])
    found = json.loads(output.read_text())
    assert (code, found["same"], found["kills"]) == (0, True, ["server", "1", "superlink"])
