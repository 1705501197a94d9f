"""Figures in, findings out: no run, no model."""

import dataclasses
import math
from pathlib import Path

import pytest
from rich.console import Console

from baffle.drivers.diagnose import CHECKS, conclude
from baffle.drivers.diagnose.figures import Norm, Travel
from baffle.report.diagnosis import diagnosis_table
from tests.drivers.diagnose.known import BROKEN, GOOD, ROUND, STUCK, figures, losses

RUN = Path("run")
STUCK_PRIVATE = {"privacy": {"unit": "client"}, "secure": {"sums": True}}


def first(found):
    return conclude(RUN, found).first


@pytest.mark.parametrize("name", BROKEN)
def test_what_was_broken_comes_first(name):
    found = first(BROKEN[name])
    assert found is not None
    assert found.check == name.split(",")[0]
    assert found.severity in ("wrong", "suspicious")
    assert found.change


def test_a_healthy_run_has_nothing_wrong_and_every_check_is_shown():
    found = conclude(RUN, figures())
    assert found.first is None
    assert found.command is None
    assert {f.severity for f in found.findings} == {"ok"}
    assert {f.check for f in found.findings} == CHECKS.keys() - {"privacy"}


def test_the_advice_is_a_command_that_runs_the_same_configuration():
    found = conclude(Path("runs/one"), BROKEN["radius"])
    assert found.command == "baffle run runs/one/config.toml --set probe.radius=auto"
    assert found.as_dict()["command"] == found.command


def test_consequences_stand_behind_their_cause():
    found = conclude(RUN, BROKEN["precision"])
    assert found.causes["radius"] == "precision"
    places = [f.check for f in found.findings]
    assert places.index("precision") < places.index("radius")


def test_a_run_that_learns_all_the_same_has_nothing_wrong():
    found = first(figures(round_={"clipped": 0.99}))
    assert (found.check, found.severity) == ("clipping", "suspicious")
    assert "learns" in found.verdict


def test_a_radius_that_became_bad_where_the_weights_went_is_no_cause():
    bad = dataclasses.replace(GOOD, own=0.1)
    exploded = figures(
        losses_of=losses(2.3, 9.0), travel=Travel(300.0, 300.0), measured={"now": bad}
    )
    assert first(exploded).check == "step_size"


def test_a_radius_where_central_differences_are_right_is_not_too_small():
    bent = dataclasses.replace(GOOD, own=0.2, full=0.2, best=-3)
    found = first(figures(losses_of=STUCK, measured={"before": bent, "now": bent}))
    assert found.check == "radius"
    assert "large" in found.verdict
    assert found.settings == {"probe.radius": 2.0**-13}  # it was measured already


def test_without_measurements_the_ledger_tells_radius_and_clipping():
    bare = {"measured": None, "why_not": "no data here"}
    small = dataclasses.replace(ROUND, radius=2.0**-26, rms=100.0, odd=100.0, even=70.0)
    none = dataclasses.replace(ROUND, radius=2.0**-40, rms=0.0, odd=0.0, even=0.0)
    large = dataclasses.replace(ROUND, radius=0.5, odd=50.0, even=500.0)
    for rounds, word in (((small,), "small"), ((none,), "small"), ((large,), "large")):
        found = conclude(RUN, figures(losses_of=STUCK, **bare, rounds=rounds * 20))
        assert found.first.check == "radius"
        assert word in found.first.verdict
    healthy = conclude(RUN, figures(**bare))
    assert healthy.first is None
    unknown = {f.check for f in healthy.findings if f.severity == "unknown"}
    assert unknown == {"model", "dead", "drift"}


def test_batch_norm_without_a_model_is_known_by_its_buffers():
    found = first(
        figures(losses_of=STUCK, measured=None, why_not="own", buffers=("bn.running_var",))
    )
    assert found.check == "batch_norm"


def test_fresh_statistics_are_named_where_nothing_is_learned():
    fresh = Norm("bn", fresh=True, shift=0.1, scale=0.01)
    found = first(figures(losses_of=STUCK, measured={"norms": (fresh,)}))
    assert (found.check, found.severity) == ("batch_norm", "wrong")
    assert "fresh" in found.verdict
    assert first(figures(measured={"norms": (fresh,)})).severity == "suspicious"


@pytest.mark.parametrize(
    ("check", "changed"),
    [
        ("reports", {"row": {"reports": 0, "abandoned": True}}),
        ("reports", {"row": {"reports": 1, "asked": 20}}),
        ("finite", {"losses_of": STUCK, "round_": {"nonfinite": 0.4}}),
        ("dead", {"losses_of": STUCK, "measured": {"units": {"act1": 0.97}}}),
        ("dead", {"losses_of": STUCK, "measured": {"silent": {"linear1.weight": 4096}}}),
        ("model", {"losses_of": STUCK, "measured": {"errors": (("drop", "dropout stays on"),)}}),
        ("batch_noise", {"losses_of": losses(2.3, 1.7), "row": {"expected_cosine": 0.03}}),
        ("schedule", {"losses_of": [2.3 * 0.997**r for r in range(150)]}),
        ("hostile", {"losses_of": STUCK, "settings": {"hostile": {"share": 0.3}}}),
        ("step_size", {"losses_of": losses(2.3, 1.9), "measured": {"averaged": 0.5}}),
        (
            "privacy",
            {
                "losses_of": losses(2.3, 2.0),
                "row": {"expected_cosine": 0.02, "signal_to_noise": 0.01},
                "settings": {"privacy": {"unit": "client"}, "secure": {"sums": True}},
            },
        ),
    ],
)
def test_other_faults(check, changed):
    assert first(figures(**changed)).check == check


def test_losses_that_hold_noise_say_nothing_of_the_step_size():
    noisy = [2.3 + 2 * (-1) ** r for r in range(150)]
    assert first(figures(losses_of=noisy[::-1])).check == "step_size"
    found = conclude(RUN, figures(STUCK_PRIVATE, noisy[::-1]))
    assert "step_size" not in {f.check for f in found.findings if f.bad}


def test_with_privacy_no_command_uses_what_was_seen_outside_of_it():
    bad = dataclasses.replace(GOOD, own=0.1, best=-20, central=0.1)
    seen = figures(STUCK_PRIVATE, STUCK, measured={"before": bad, "now": bad})
    found = next(f for f in conclude(RUN, seen).findings if f.check == "radius")
    assert "2^-20" in found.change
    assert "less than its ε" in found.change
    assert found.settings == {}
    assert conclude(RUN, seen).as_dict()["outside_privacy"]
    assert "outside of what the run promises" in shown(conclude(RUN, seen))
    for not_outside in (figures(STUCK_PRIVATE, measured=None), figures()):
        assert not conclude(RUN, not_outside).as_dict()["outside_privacy"]
        assert "outside of what" not in shown(conclude(RUN, not_outside))


def test_with_privacy_no_command_measures_a_step_size():
    few = {"row": {"expected_cosine": 0.01}, "round_": {"gain": 4 / 4814, "directions": 4}}
    found = conclude(RUN, figures(STUCK_PRIVATE, losses(2.3, 2.0), **few))
    advice = next(f for f in found.findings if f.check == "directions").settings
    assert advice.keys() == {"probe.num_directions"}


def test_directions_are_counted_as_they_were_planned():
    found = conclude(RUN, figures({"probe": {"num_directions": 64}}, round_={"directions": 1024}))
    directions = next(f for f in found.findings if f.check == "directions")
    assert directions.figure.startswith("K = 1,024 of d")


def shown(found):
    console = Console(width=100, record=True, file=None)
    with console.capture() as text:
        console.print(diagnosis_table(found))
    return " ".join(text.get().split())


def test_no_round_yet_is_no_fault():
    found = conclude(RUN, figures(rows=(), rounds=()))
    assert found.first is None
    assert math.isnan(found.figures.learned)
