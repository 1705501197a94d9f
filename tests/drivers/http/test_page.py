"""What a gateway shows: the run, nothing of one device, and nothing that a browser would run."""

import base64
import hashlib
import re

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
    assert "8 of 10" in text
    assert "0.7000" in text
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
    assert "0 of 10" in rig.client.get("/").text
    assert rig.client.get("/healthz").json() == {"ok": True}
