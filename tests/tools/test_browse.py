"""The gateway's page in a real browser; and that the tool that looks would see what is wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.gateway import chromium
from tools.gateway.browse import VIEWS, contrast, heard, look, rgb
from tools.gateway.chromium import Chromium, NoBrowser, View
from tools.gateway.showing import STATES, shown

BAD = b"""<!doctype html><html lang=en><meta charset=utf-8><title>bad</title>
<p style="color:#ccc">faint</p><div style="width:3000px;height:9px"></div><img src="/elsewhere.png">
<svg width="50" height="50" viewBox="0 0 50 50"><text x="40" y="20">over</text></svg>"""


@contextmanager
def served(body: bytes, policy: str) -> Iterator[str]:
    """Serve one page on loopback."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("content-type", "text/html")
            self.send_header("content-security-policy", policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.block_on_close = False  # a browser keeps connections that it asks nothing on
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_contrast_is_the_standards():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast(rgb("rgb(119, 119, 119)"), rgb("rgb(255, 255, 255)")) == pytest.approx(
        4.48, abs=0.005
    )


def test_what_a_browser_says_is_heard_and_the_page_itself_is_not():
    def wanted(url):
        return {"method": "Network.requestWillBeSent", "params": {"request": {"url": url}}}

    events = [
        wanted("http://a/"),
        wanted("http://b/x.js"),
        {"method": "Network.responseReceived", "params": {"response": {"status": 500}}},
        {"method": "Log.entryAdded", "params": {"entry": {"text": "Refused to load"}}},
    ]
    assert list(heard(events, "http://a/")) == [
        "it wanted http://b/x.js", "status 500 of /", "Log.entryAdded: Refused to load",
    ]  # fmt: skip


def test_without_a_browser_it_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoBrowser, match="package `chromium`"):
        chromium.find()


@pytest.mark.slow
def test_each_state_looks_right_in_each_view():
    with Chromium() as browser:
        for state in STATES:
            with shown(state) as url:
                for name, view in VIEWS.items():
                    assert look(browser, url, view) == [], (state, name)


@pytest.mark.slow
def test_what_is_wrong_with_a_page_is_seen():
    with Chromium() as browser:
        with served(BAD, "default-src 'self' 'unsafe-inline'") as url:
            loose = " ".join(look(browser, url, View(800, 600)))
        with served(BAD, "default-src 'none'") as url:
            strict = " ".join(look(browser, url, View(800, 600)))
    for said in ("wider than the window", "'faint' has a contrast of", "'over' goes over an edge",
                 "it wanted http", "404"):  # fmt: skip
        assert said in loose
    assert "Content Security Policy" in strict
