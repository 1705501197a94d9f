"""A run's page: one file, no script, nothing from elsewhere; all that it is given is escaped."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, EDGE = 640, 200, 30
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td{padding:.1rem 1.5rem .1rem 0}td+td{text-align:right}"
    "svg{width:100%;height:auto}polyline{fill:none;stroke:#06c;stroke-width:2}"
    "line{stroke:#999}text{font-size:12px;fill:#666}code{word-break:break-all}"
)
STYLE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
DEVICES = {
    "enrolled": "enrolled",
    "there": "there now",
    "waiting": "waiting for an ask",
    "asks_fetched": "at work",
}
Points = Sequence[tuple[int, float]]


def html(status: Mapping[str, Any]) -> str:
    """Return the page of a status as `Board` makes it."""
    last, devices = status["last"], status["devices"]
    rows = [("round", f"{status['done']} of {status['rounds']}")]
    rows += [("accuracy", _figure(last.get("test_accuracy"))), ("loss", _figure(last.get("loss")))]
    rows += [("reports in the last round", f"{_count(last, 'reports')} of {_count(last, 'asked')}")]
    rows += [(f"devices {text}", _count(devices, name)) for name, text in DEVICES.items()]
    cells = "".join(f"<tr><td>{escape(k)}</td><td>{escape(v)}</td></tr>" for k, v in rows)
    curves = "".join(
        f"<h2>{escape(title)}</h2>{svg(status['curves'][name])}"
        for name, title in (("test_accuracy", "Accuracy"), ("loss", "Loss"))
        if len(status["curves"][name]) > 1
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="5">'
        f"<title>baffle</title><style>{STYLE}</style><h1>baffle</h1>"
        f"<p>Run <code>{escape(str(status['run']))}</code></p><table>{cells}</table>{curves}"
        f"<p>Digest <code>{escape(str(last.get('digest') or 'none yet'))}</code></p></html>"
    )


def svg(points: Points) -> str:
    """Return a curve as a drawing.

    Args:
        points: (round, value), two or more, by round.
    """
    rounds, values = [x for x, _ in points], [y for _, y in points]
    low, high = min(values), max(values)
    drawn = " ".join(
        f"{_place(x, rounds[0], rounds[-1], WIDTH):.1f},{HEIGHT - _place(y, low, high, HEIGHT):.1f}"
        for x, y in points
    )
    base = HEIGHT - EDGE
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f'<line x1="{EDGE}" y1="{base}" x2="{WIDTH - EDGE}" y2="{base}"/>'
        f'<polyline points="{drawn}"/>'
        f'<text x="2" y="{EDGE - 10}">{_figure(high)}</text>'
        f'<text x="2" y="{base + 16}">{_figure(low)}</text>'
        f'<text x="{WIDTH - 2 * EDGE}" y="{base + 16}">round {int(rounds[-1])}</text></svg>'
    )


def _place(value: float, low: float, high: float, size: int) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return EDGE + share * (size - 2 * EDGE)


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


def _figure(value: Any) -> str:
    return f"{value:.4f}" if is_number(value) else "–"


def _count(table: Mapping[str, Any], name: str) -> str:
    found = table.get(name)
    return f"{found:.0f}" if is_number(found) else "–"
