"""What a gateway shows: the run, nothing of one device, and nothing that a browser would run."""

import base64
import hashlib
import re

import pytest

from baffle.drivers.http import page
from baffle.drivers.http.board import Board
from baffle.drivers.http.drawing import svg, ticks_of
from tests.drivers.http.edge import Rig

ROWS = [
    {"round": n + 1, "loss": 2.0 / (n + 1), "test_accuracy": n / 10, "reports": 3, "asked": 4,
     "digest": "<script>alert(1)</script>"}
    for n in range(8)
]  # fmt: skip


def test_the_page_shows_the_run_and_loads_nothing(tmp_path):
    rig = Rig(tmp_path, ROWS)
    rig.device(1)
    response = rig.client.get("/")
    text = response.text
    assert "8 of 10 rounds" in text
    assert "<b>70 %</b>" in text
    assert text.count("<svg") == 2
    assert not re.search(r"(src|href|url)\s*[=(]|https?://|<script|<link|<img", text)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"


def test_what_comes_from_elsewhere_is_escaped(tmp_path):
    text = Rig(tmp_path, ROWS).client.get("/").text
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_style_is_the_one_that_the_policy_names(tmp_path):
    response = Rig(tmp_path).client.get("/")
    style = re.search(r"<style>(.*?)</style>", response.text)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in response.headers["content-security-policy"]
    assert " style=" not in response.text


def test_programs_see_the_same(tmp_path):
    rig = Rig(tmp_path, [*ROWS, {"round": 9, "loss": float("nan"), "test_accuracy": None}])
    device = rig.device(1)
    rig.ask(device)
    found = rig.client.get("/status.json").json()
    assert (found["done"], found["rounds"], found["last"]["loss"]) == (9, 10, None)
    assert found["devices"] == {
        "there": 1, "enrolled": 1, "revoked": 0, "waiting": 0, "asks_ready": 0, "asks_fetched": 0,
        "bytes_down": 0, "bytes_up": 0,
    }  # fmt: skip
    assert len(found["curves"]["loss"]) == 8
    assert f"{device.node}" not in rig.client.get("/").text


def test_a_long_run_is_thinned_out(tmp_path):
    rows = [{"round": n + 1, "loss": 1.0, "test_accuracy": None} for n in range(10_000)]
    found = Rig(tmp_path, rows).client.get("/status.json").json()["curves"]
    assert len(found["loss"]) <= 300
    assert found["loss"][-1] == [10_000, 1.0]
    assert found["test_accuracy"] == []


def test_a_run_without_a_round_has_a_page(tmp_path):
    rig = Rig(tmp_path)
    text = rig.client.get("/").text
    assert "0 of 10 rounds" in text
    assert "Waiting for devices" in text
    assert "not measured yet" in text
    assert rig.client.get("/healthz").json() == {"ok": True}


def test_an_accuracy_that_the_last_round_did_not_measure_stays_on_the_page(tmp_path):
    rig = Rig(tmp_path, [*ROWS, {"round": 9, "loss": 0.2}])
    text = rig.client.get("/").text
    assert "<b>70 %</b>" in text
    assert "in round 8" in text
    assert "in round 9" in text  # the loss


def test_a_page_that_will_not_change_is_not_loaded_again(tmp_path):
    (tmp_path / "on").mkdir()
    assert 'http-equiv="refresh"' in Rig(tmp_path / "on", ROWS).client.get("/").text
    (tmp_path / "over").mkdir()
    over = Rig(tmp_path / "over", [*ROWS, {"round": 9}, {"round": 10}]).client.get("/").text
    assert 'http-equiv="refresh"' not in over
    assert "The run is over" in over


def test_figures_are_short_whatever_their_size():
    rows = [{"round": 20_000, "loss": 5e4, "reports": 1987, "asked": 2000}]
    figures = {"there": 2000, "enrolled": 100_000}
    text = page.html(Board("ab", 10**6, rows, lambda: figures).status())
    for shown in ("20,000", "of 1,000,000", "50,000", "1,987 of 2,000", "of 100,000"):
        assert shown in text


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 0.37, 1.0, 12345.6, 1e300])
@pytest.mark.parametrize("values", [(0.59, 0.96), (0.0, 0.0), (3.0, 3.0), (-2.0, 5.0)])
def test_an_axis_holds_its_values_in_few_ticks(scale, values):
    scaled = [scale * value for value in values]
    ticks = ticks_of(scaled)
    assert 3 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))
    room = 1e-6 * (ticks[-1] - ticks[0])
    assert ticks[0] - room <= min(scaled) <= max(scaled) <= ticks[-1] + room


def test_a_curve_ends_where_its_last_value_is_and_says_it_aloud():
    drawn = svg([(10, 0.5), (20, 0.9)], "A & B", lambda y: f"{y:.1f}", most=1.0)
    (last,) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert re.search(r'<polyline points="[^"]* ([\d.]+),([\d.]+)"', drawn).groups() == last
    assert "A &amp; B: 0.9 in round 20, from 0.5 in round 10" in drawn
