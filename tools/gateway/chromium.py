"""A browser without a window, spoken to over two pipes: Chromium's DevTools protocol.

Messages are JSON, each ended by a zero byte; the browser reads them from its descriptor 3 and
writes its own to 4. No port is opened, and nothing but the standard library is needed.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_S = 30.0
# Copies first: either number may be 3 or 4 itself. (A shell takes numbers of one digit only.)
BECOME = """import fcntl, os, sys
theirs = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 5) for number in sys.argv[1:3]]
os.dup2(theirs[0], 3)
os.dup2(theirs[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class NoBrowser(RuntimeError):
    """There is none, or it does not answer."""


def find() -> str:
    """Return the path of a browser.

    Raises:
        NoBrowser: none of the names is on the path; says how to get one.
    """
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise NoBrowser(
        f"expected one of {', '.join(NAMES)} on the path, found none: install one, as Debian's "
        "package `chromium`"
    )


@dataclass(frozen=True)
class View:
    """How a page is looked at.

    Args:
        width, height: of the window, CSS pixels.
        dark: the system's scheme is dark.
        zoom: as by Ctrl and +.
    """

    width: int
    height: int
    dark: bool = False
    zoom: float = 1.0


@dataclass
class Chromium:
    """One browser with one page, used as a context."""

    _events: list[dict[str, Any]] = field(default_factory=list)
    _last: int = 0
    _rest: bytes = b""

    def __enter__(self) -> Self:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        command = [
            find(), "--headless=new", "--remote-debugging-pipe", "--disable-gpu",
            "--hide-scrollbars", "--disable-dev-shm-usage", "--no-first-run",
        ]  # fmt: skip
        if os.geteuid() == 0:  # a browser of root's wants it said; it sees our own page alone
            command.append("--no-sandbox")
        try:
            self._process = _started(command, theirs_in, theirs_out)
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        try:
            self._attach()
        except BaseException:
            self._end()
            raise
        return self

    def _attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.do(f"{domain}.enable")

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        os.close(self._out)  # the browser ends with its pipe
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def do(self, method: str, **given: Any) -> dict[str, Any]:
        """Return what a method of the page answers."""
        return self.call(method, self._session, **given)

    def call(self, method: str, session: str = "", **given: Any) -> dict[str, Any]:
        """Return what a method answers.

        Raises:
            NoBrowser: it answers an error, or not at all.
        """
        self._last += 1
        number = self._last
        said = {"id": number, "method": method, "params": given}
        if session:
            said["sessionId"] = session
        os.write(self._out, json.dumps(said).encode() + b"\0")
        end = time.monotonic() + PATIENCE_S
        while (answer := self._next(end)).get("id") != number:
            self._events.append(answer)
        if "error" in answer:
            raise NoBrowser(f"{method}: {answer['error'].get('message')}")
        found: dict[str, Any] = answer["result"]
        return found

    def look(self, url: str, view: View) -> list[dict[str, Any]]:
        """Load a page; returns the events of it, as the protocol names them."""
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=round(view.width / view.zoom), height=round(view.height / view.zoom),
            deviceScaleFactor=view.zoom, mobile=False,
        )  # fmt: skip
        scheme = "dark" if view.dark else "light"
        self.do(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self._events.clear()
        self.do("Page.navigate", url=url)
        self._wait("Page.loadEventFired")
        # What is still on its way, as a violation's report, comes before the answer to this.
        self.value("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")
        return list(self._events)

    def value(self, expression: str) -> Any:
        """Return what JavaScript comes to on the page (ours, not the page's: it may have none)."""
        found = self.do(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise NoBrowser(f"{expression}: {found['exceptionDetails']['text']}")
        return found["result"].get("value")

    def picture(self) -> bytes:
        """Return the whole page as a PNG."""
        found = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def _wait(self, name: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not any(event.get("method") == name for event in self._events):
            self._events.append(self._next(end))

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self._in, 2**20) if ready else b""
            if not data:
                raise NoBrowser("the browser ended" if ready else "the browser does not answer")
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


def _started(command: list[str], theirs_in: int, theirs_out: int) -> subprocess.Popen[bytes]:
    """Start a browser whose descriptors 3 and 4 are ours."""
    numbers = str(theirs_in), str(theirs_out)
    return subprocess.Popen(
        [sys.executable, "-c", BECOME, *numbers, *command],
        pass_fds=(theirs_in, theirs_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
