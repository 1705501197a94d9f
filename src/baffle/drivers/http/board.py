"""What a gateway tells whoever looks: devices counted, rounds, accuracy. Nothing of one device."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from baffle.drivers.http import page

POINTS = 300  # of a curve; a longer run shows each so manieth round
SECONDS = 1.0  # for which a look is good for the next one
LAST = (
    "round", "loss", "test_accuracy", "client_accuracy", "reports", "asked", "abandoned",
    "round_seconds", "digest",
)  # fmt: skip


@dataclass
class Board:
    """A run to look at.

    Args:
        run: its name, hexadecimal.
        rounds: planned.
        rows: those of the rounds so far; grows.
        figures: of the gateway.
        clock: seconds.
    """

    run: str
    rounds: int
    rows: Sequence[Mapping[str, Any]]
    figures: Callable[[], Mapping[str, int]]
    clock: Callable[[], float] = time.monotonic
    _seen: tuple[float, dict[str, Any]] | None = field(default=None)

    def status(self) -> dict[str, Any]:
        """Return what there is to see, made anew once a second at most."""
        now = self.clock()
        if self._seen is None or now - self._seen[0] >= SECONDS:
            self._seen = now, self._status()
        return self._seen[1]

    def _status(self) -> dict[str, Any]:
        rows = list(self.rows)
        last = {name: rows[-1].get(name) for name in LAST} if rows else {}
        return {
            "run": self.run,
            "rounds": self.rounds,
            "done": last.get("round") or 0,
            "devices": dict(self.figures()),
            "last": last,
            "curves": {name: curve(rows, name) for name in ("test_accuracy", "loss")},
        }

    def json(self) -> bytes:
        """Return it for programs."""
        return json.dumps(page.plain(self.status())).encode()

    def page(self) -> bytes:
        """Return it for people."""
        return page.html(self.status()).encode()

    @property
    def style(self) -> str:
        """What the page's style is known by in a content security policy."""
        return page.STYLE_SOURCE


def curve(rows: Sequence[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    """Return (round, value) of the rows that have one, thinned out; the last is among them."""
    found = [(r["round"], r[name]) for r in rows if page.is_number(r.get(name))]
    every = -(-len(found) // POINTS) or 1
    return found[::-1][::every][::-1]
