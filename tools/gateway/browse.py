"""Look at the gateway's page in a real browser, in every state it can be in, and say what is wrong.

    python -m tools.gateway.browse [FOLDER]

Wants Chromium on the path (Debian: `apt-get install chromium`). Pictures go to FOLDER. The exit
code is 1 if a page logs something, breaks its own security policy, loads anything else, is wider
than the window, writes over an edge of a drawing, or has text of too little contrast.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tools.gateway.chromium import Chromium, View
from tools.gateway.showing import STATES, shown

VIEWS = {
    "desktop": View(1280, 800),
    "desktop-dark": View(1280, 800, dark=True),
    "phone": View(360, 740),
    "phone-dark": View(360, 740, dark=True),
    "narrow": View(320, 640),  # what WCAG 2 asks for without scrolling sideways
    "zoomed": View(1280, 800, zoom=4.0),
}
CONTRAST = 4.5  # WCAG 2 AA, for text
PROBE = """(() => {
  const at = e => { const b = e.getBoundingClientRect();
    return [b.left, b.top, b.right, b.bottom] };
  const ink = e => getComputedStyle(e)[e.tagName == 'text' ? 'fill' : 'color'];
  const paper = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if (c !== 'rgba(0, 0, 0, 0)') return c }
    return 'rgb(255, 255, 255)' };
  const texts = [...document.querySelectorAll('h1,h2,p,dt,dd,b,.faint,code,text')];
  return {
    wide: document.scrollingElement.scrollWidth - innerWidth,
    texts: texts.filter(e => e.textContent.trim()).map(e => ({
      text: e.textContent, at: at(e), ink: ink(e), paper: paper(e),
      svg: e.ownerSVGElement ? at(e.ownerSVGElement) : null,
      size: parseFloat(getComputedStyle(e).fontSize)
        * (e.ownerSVGElement ? e.getScreenCTM().a : 1) })) } })()"""
LEAST_PX = 11.0  # of a letter, at no zoom
LOUD = (
    "Log.entryAdded",
    "Runtime.consoleAPICalled",
    "Runtime.exceptionThrown",
    "Audits.issueAdded",
)


def look(browser: Chromium, url: str, view: View) -> list[str]:
    """Return what is wrong with a page, in words."""
    events = browser.look(url, view)
    found = list(heard(events, url))
    seen = browser.value(PROBE)
    if seen["wide"] > 0:
        found.append(f"{seen['wide']} px wider than the window")
    for text in seen["texts"]:
        found += _text(text)
    return found


def heard(events: list[dict[str, Any]], url: str) -> Iterator[str]:
    """Yield what a browser said of a page, and what else than the page it wanted."""
    for event in events:
        name, given = event.get("method", ""), event.get("params", {})
        if name in LOUD:
            yield f"{name}: {_said(given)}"
        elif name == "Network.requestWillBeSent":
            asked = given["request"]["url"]
            if asked != url:
                yield f"it wanted {asked[:80]}"
        elif name == "Network.responseReceived" and given["response"]["status"] != 200:
            yield f"status {given['response']['status']} of {urlsplit(url).path}"


def _said(given: Mapping[str, Any]) -> str:
    entry = given.get("entry") or given.get("issue") or given
    return str(entry.get("text") or entry.get("code") or entry)[:200]


def _text(found: Mapping[str, Any]) -> Iterator[str]:
    said = f"{found['text'][:30]!r}"
    got = contrast(rgb(found["ink"]), rgb(found["paper"]))
    if got < CONTRAST:
        yield f"{said} has a contrast of {got:.1f}, and {CONTRAST} is wanted"
    if found["size"] < LEAST_PX:
        yield f"{said} is {found['size']:.1f} px high"
    if found["svg"]:
        (left, top, right, bottom), (a, b, c, d) = found["at"], found["svg"]
        if left < a - 1 or top < b - 1 or right > c + 1 or bottom > d + 1:
            yield f"{said} goes over an edge of its drawing"


def rgb(text: str) -> tuple[float, ...]:
    """Return a computed colour's red, green and blue, 0 to 255."""
    return tuple(float(x) for x in text[text.index("(") + 1 : -1].split(",")[:3])


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return two colours' contrast ratio, 1 to 21, as WCAG 2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: tuple[float, ...]) -> float:
    shares = (x / 255 for x in colour)
    linear = [x / 12.92 if x <= 0.04045 else math.pow((x + 0.055) / 1.055, 2.4) for x in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def main(folder: Path | None) -> int:
    """Look at everything; returns the exit code."""
    wrong = 0
    with Chromium() as browser:
        for state in STATES:
            with shown(state) as url:
                for name, view in VIEWS.items():
                    problems = look(browser, url, view)
                    wrong += len(problems)
                    sys.stdout.write(f"{state:8} {name:13} {'; '.join(problems) or 'ok'}\n")
                    if folder is not None:
                        folder.mkdir(parents=True, exist_ok=True)
                        (folder / f"{state}-{name}.png").write_bytes(browser.picture())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else None))
