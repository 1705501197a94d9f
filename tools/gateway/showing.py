"""A gateway's page in each of its states, served on loopback by the gateway's own application."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from baffle.drivers.http.app import Edge, make_app
from baffle.drivers.http.board import Board
from baffle.drivers.http.listener import Listener, bound
from baffle.drivers.http.roster import Roster
from baffle.drivers.http.state import Bounds
from baffle.drivers.http.transport import HttpTransport
from tools.gateway.serving import PUBLIC, SERVER

NAME = "c0ffee" * 5 + "ab"
DEVICES = {
    "there": 10, "enrolled": 10, "waiting": 5, "asks_ready": 0, "asks_fetched": 5,
    "bytes_down": 3_130_000, "bytes_up": 1_080_000,
}  # fmt: skip
NOBODY = dict.fromkeys(DEVICES, 0)


def rows_of(rounds: int, every: int = 10, scale: float = 1.0) -> list[dict[str, Any]]:
    """Return rows that look like a run's: a loss that falls, an accuracy now and then."""
    return [
        {
            "round": n + 1,
            "loss": scale * (0.05 + 2.2 * math.exp(-n / 25) * (1 + 0.2 * math.sin(7.0 * n))),
            "test_accuracy": 0.96 - 0.8 * math.exp(-n / 20) if (n + 1) % every == 0 else None,
            "reports": 5, "asked": 5, "abandoned": False, "round_seconds": 0.0953,
            "digest": "5eed" * 16,
        }
        for n in range(rounds)
    ]  # fmt: skip


# rounds planned, rows, figures
STATES: Mapping[str, tuple[int, Sequence[Mapping[str, Any]], Mapping[str, int]]] = {
    "empty": (300, [], NOBODY),
    "start": (300, rows_of(2), DEVICES),
    "middle": (300, rows_of(137), DEVICES),
    "done": (300, rows_of(300), {**NOBODY, "enrolled": 10}),
    "many": (
        1_000_000,
        [{**row, "asked": 2000, "reports": 1987, "round_seconds": 12345.678}
         for row in rows_of(20_000, 100, 1e6)],
        {**DEVICES, "there": 2000, "enrolled": 100_000, "asks_fetched": 1999,
         "bytes_down": 10**15, "bytes_up": 999_999_999},
    ),
    "odd": (
        3,
        [{"round": 1, "loss": math.nan, "reports": 0, "asked": 5, "abandoned": True,
          "digest": "<script>alert(1)</script>" * 20},
         {"round": 2, "loss": 1e300, "test_accuracy": 0.1},
         {"round": 3, "loss": -1e-12, "test_accuracy": 0.1, "digest": "w" * 2000}],
        NOBODY,
    ),
}  # fmt: skip


@contextmanager
def shown(state: str) -> Iterator[str]:
    """Serve the page in a state while the context lasts; yields its URL."""
    rounds, rows, figures = STATES[state]
    name = "W" * 400 if state == "odd" else NAME
    with tempfile.TemporaryDirectory(prefix="baffle-page-") as folder:
        transport = HttpTransport(Roster(Path(folder), PUBLIC), SERVER, Bounds())
        board = Board(name, rounds, rows, lambda: figures)
        app = make_app(Edge(transport, board))
        listener = Listener(app, bound("127.0.0.1", 0), None, 64, transport.lose)
        listener.start()
        try:
            yield f"http://127.0.0.1:{listener.port}/"
        finally:
            listener.stop()
