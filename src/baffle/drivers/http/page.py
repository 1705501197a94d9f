"""A run's page: one file, no script, nothing from elsewhere; all that it is given is escaped."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from html import escape
from typing import Any

from baffle.drivers.http.drawing import Points, svg

REFRESH_S = 5
STYLE = (
    ":root{color-scheme:light dark;--ink:#1b1f24;--faint:#57606a;--rule:#d8dee4;--line:#0a5bd3;"
    "--paper:#fff;--card:#f6f8fa}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--faint:#9aa4af;--rule:#343b44;"
    "--line:#6cb0ff;--paper:#14171b;--card:#1d2228}}"
    "*{box-sizing:border-box}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.5rem 1rem;"
    "color:var(--ink);background:var(--paper)}"
    "h1{font-size:1.5rem;margin:0}h2{font-size:1rem;margin:0 0 .5rem}"
    "p{margin:.25rem 0 1rem}progress{width:100%;height:.75rem;accent-color:var(--line)}"
    ".grid{display:grid;gap:1rem;margin:1rem 0}"
    ".cards{grid-template-columns:repeat(2,minmax(0,1fr))}"
    ".curves{grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr))}"
    ".grid>*{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;"
    "padding:.75rem;min-width:0}"
    "dl{margin:0}dt,.faint{color:var(--faint);font-size:.875rem}"
    "dd{margin:0;overflow-wrap:anywhere}dd b{font-size:1.5rem;font-weight:600;display:block}"
    "code{overflow-wrap:anywhere}"
    "svg{display:block;width:100%;height:auto}line{stroke:var(--rule)}"
    "polyline{fill:none;stroke:var(--line);stroke-width:2;stroke-linejoin:round}"
    "circle{fill:var(--line)}text{font-size:12px;fill:var(--faint)}.x,.y{text-anchor:end}"
    ".y{dominant-baseline:middle}"
    # Drawings are larger there, and what is written on them with them.
    "@media(min-width:42rem){text{font-size:9px}.cards{grid-template-columns:repeat(3,1fr)}}"
)
STYLE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"


def html(status: Mapping[str, Any]) -> str:
    """Return the page of a status as `Board` makes it."""
    done, rounds = int(status["done"]), int(status["rounds"])
    last, devices, over = status["last"], status["devices"], done >= rounds
    # What does not change any more is not loaded again.
    refresh = "" if over else f'<meta http-equiv="refresh" content="{REFRESH_S}">'
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"{refresh}<title>{done:,} of {rounds:,} rounds – baffle</title><style>{STYLE}</style>"
        f"<main><h1>baffle</h1><p>{_state(done, over, devices)}</p>"
        f'<progress max="{max(rounds, 1)}" value="{min(done, rounds)}" '
        f'aria-label="rounds">{done} of {rounds}</progress>'
        f'<dl class="grid cards">{_cards(status)}</dl>{_curves(status["curves"])}'
        f'<p class="faint">Run <code>{escape(str(status["run"]))}</code><br>'
        f"Digest <code>{escape(str(last.get('digest') or 'none yet'))}</code></p></main></html>"
    )


def _state(done: int, over: bool, devices: Mapping[str, Any]) -> str:
    if over:
        return "The run is over."
    if not devices.get("there"):
        return "Waiting for devices: none is connected."
    return "In progress." if done else "The first round is on its way."


def _cards(status: Mapping[str, Any]) -> str:
    last, devices, curves = status["last"], status["devices"], status["curves"]
    found = [("rounds", f"{status['done']:,}", f"of {status['rounds']:,}")]
    for name, text in (("test_accuracy", _percent), ("loss", _short)):
        number, value = curves[name][-1] if curves[name] else (0, None)
        where = f"in round {number:,}" if number else "not measured yet"
        found.append((name.removeprefix("test_"), text(value), where))
    found.append(("reports", *_reports(last)))
    enrolled, waiting = _count(devices, "enrolled"), _count(devices, "waiting")
    found.append(("devices connected", _count(devices, "there"), f"of {enrolled} enrolled"))
    found.append(("devices at work", _count(devices, "asks_fetched"), f"{waiting} wait for an ask"))
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd><b>{escape(value)}</b>"
        f'<span class="faint">{escape(more)}</span></dd></div>'
        for name, value, more in found
    )


def _reports(last: Mapping[str, Any]) -> tuple[str, str]:
    if not is_number(last.get("reports")):
        return "–", "no round yet"
    seconds = last.get("round_seconds")
    took = f", {_short(seconds)} s" if is_number(seconds) else ""
    said = "last round, abandoned" if last.get("abandoned") else f"last round{took}"
    return f"{_count(last, 'reports')} of {_count(last, 'asked')}", said


def _curves(curves: Mapping[str, Points]) -> str:
    drawn = "".join(
        f"<section><h2>{title}</h2>{svg(curves[name], title, text, most)}</section>"
        for name, title, text, most in (
            ("test_accuracy", "Accuracy", _percent, 1.0),
            ("loss", "Loss", _short, math.inf),
        )
        if len(curves[name]) > 1
    )
    return f'<div class="grid curves">{drawn}</div>' if drawn else ""


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def plain(value: Any) -> Any:
    """Return a value without what JSON has no word for."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(value: Any) -> str:
    """Return a number in three digits, and without an exponent where it can do without."""
    if not is_number(value):
        return "–"
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def _percent(value: Any) -> str:
    return f"{100 * value:.3g} %" if is_number(value) else "–"


def _count(table: Mapping[str, Any], name: str) -> str:
    found = table.get(name)
    return f"{found:,.0f}" if is_number(found) else "–"
