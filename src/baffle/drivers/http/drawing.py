"""A curve as a drawing: axes with few round numbers, a line, and a dot on its last point."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

# As large as a phone's column, so that no text is scaled down to where nobody reads it.
WIDTH, HEIGHT = 280, 170
LEFT, RIGHT, TOP, BOTTOM = 50, 10, 10, 24
STEPS = (1.0, 2.0, 5.0, 10.0)
Points = Sequence[tuple[int, float]]
Text = Callable[[float], str]


def svg(points: Points, title: str, text: Text, most: float = math.inf) -> str:
    """Return a curve as a drawing, for style sheets to colour.

    Args:
        points: (round, value), one or more, by round; values finite.
        title: what is drawn; escaped here.
        text: a value as people read it.
        most: what no value can pass, and so no axis.
    """
    ticks = ticks_of([y for _, y in points], most)
    begin, last, low, high = points[0][0], points[-1][0], ticks[0], ticks[-1]

    def across(x: float) -> float:
        return LEFT + (x - begin) / max(last - begin, 1) * (WIDTH - LEFT - RIGHT)

    def up(y: float) -> float:
        share = (y - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    lines = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>'
        f'<text class="y" x="{LEFT - 6}" y="{up(y):.1f}">{escape(text(y))}</text>'
        for y in ticks
    )
    drawn = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
    (x, y), base = points[-1], HEIGHT - 6
    said = f"{title}: {text(y)} in round {x:,}, from {text(points[0][1])} in round {begin:,}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}">{lines}'
        f'<text x="{LEFT}" y="{base}">{begin:,}</text>'
        f'<text class="x" x="{WIDTH - RIGHT}" y="{base}">round {last:,}</text>'
        f'<polyline points="{drawn}"/><circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3"/></svg>'
    )


def ticks_of(values: Sequence[float], most: float = math.inf) -> list[float]:
    """Return three to six round numbers around some finite values, by size.

    Args:
        values: one or more.
        most: what the highest may not pass, if no value does.

    Example:
        >>> ticks_of([0.59, 0.96], most=1.0), ticks_of([0.0226, 2.35]), ticks_of([3.0])
        ([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], [0.0, 1.0, 2.0, 3.0], [2.0, 2.5, 3.0, 3.5, 4.0])
    """
    low, high = min(values), max(values)
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        room = abs(high) / 3 or 1.0
        low, high = low - room, min(high + room, max(most, high))
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(s for s in STEPS if s * unit >= rough * 0.999) * unit
    first, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, end + 1)]
