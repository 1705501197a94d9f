"""The gateway of the load test: a real one, whose server asks without training anything.

Every so often it lays asks ready for some of the devices, each with bytes of its own; it counts
what comes back, and at the end says what it saw and how much memory it took.
"""

from __future__ import annotations

import hashlib
import json
import random
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.drivers.http.app import Edge, make_app
from baffle.drivers.http.board import Board
from baffle.drivers.http.listener import Listener, bound
from baffle.drivers.http.pauses import rare_pauses
from baffle.drivers.http.roster import Roster
from baffle.drivers.http.state import Bounds
from baffle.drivers.http.transport import HttpTransport
from baffle.fleet import Outgoing

SERVER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = SERVER.public_key().public_bytes_raw()
ASK_BYTES, ANSWER_BYTES = 600, 200  # of a steady round, docs/fleet.md
POLL_SECONDS, GRACE_SECONDS = 0.02, 3.0


def answer_to(ask: bytes) -> bytes:
    """Return what a device answers: as long as a report, and told apart from every other."""
    return hashlib.shake_256(ask).digest(ANSWER_BYTES)


def ask_of(number: int, now: float) -> bytes:
    """Return an ask: as long as a steady round's, with the time it was laid ready at."""
    said = json.dumps({"number": number, "at": now}).encode()
    return said + bytes(ASK_BYTES - len(said))


@dataclass
class Rounds:
    """What was asked, and what came.

    Args:
        transport: of the gateway.
        cohort: devices asked at once.
        rng: who.
    """

    transport: HttpTransport
    cohort: int
    rng: random.Random
    expected: dict[bytes, int] = field(default_factory=dict)
    came: dict[bytes, int] = field(default_factory=dict)
    problems: int = 0
    wrong: int = 0

    def ask(self, seconds: float) -> None:
        """Ask a cohort of those who are there."""
        there = sorted(self.transport.nodes())
        now, messages = time.monotonic(), []
        for node in self.rng.sample(there, min(self.cohort, len(there))):
            ask = ask_of(len(self.expected), now)
            self.expected[answer_to(ask)] = node
            messages.append(Outgoing(node, (ask,)))
        self.transport.carry(messages, seconds, "0")

    def look(self) -> None:
        """Take what came."""
        for came in self.transport.poll():
            if came.data is None:
                self.problems += 1
                continue
            self.wrong += self.expected.get(came.data) != came.node
            self.came[came.data] = self.came.get(came.data, 0) + 1

    def figures(self) -> dict[str, Any]:
        """Return the counts."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {
            "asked": len(self.expected),
            "answered": len(self.came),
            "doubled": sum(n - 1 for n in self.came.values()),
            "wrong": self.wrong,
            "problems": self.problems,
            "peak_mib": round(peak, 1),
        }


def main(folder: Path, seconds: float, cohort: int, every: float) -> None:
    """Serve for some seconds; the port goes to standard output first, the figures last."""
    transport = HttpTransport(Roster(folder, PUBLIC), SERVER, Bounds())
    board = Board("0" * 32, 1, [], lambda: transport.figures)
    app = make_app(Edge(transport, board))
    listener = Listener(app, bound("127.0.0.1", 0), None, 8192, transport.lose)
    listener.start()
    print(listener.port, flush=True)
    rounds = Rounds(transport, cohort, random.Random(0))
    sys.stdin.readline()  # all devices are connected
    with rare_pauses():
        _serve(rounds, seconds, every)
    print(json.dumps(rounds.figures()), flush=True)
    listener.stop()


def _serve(rounds: Rounds, seconds: float, every: float) -> None:
    due = time.monotonic()
    ends = due + seconds
    while time.monotonic() < ends + GRACE_SECONDS:
        if due <= time.monotonic() < ends:
            rounds.ask(seconds=10.0)
            due += every
        rounds.look()
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
