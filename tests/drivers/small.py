"""A run small enough to repeat many times: seconds of nothing, every mechanism on."""

from pathlib import Path

from baffle.config import resolve
from baffle.drivers.local.session import Session, start
from baffle.drivers.local.task import task_of
from baffle.ledger import Ledger

SMALL = {
    "rounds": 8,
    "model": {"name": "mlp", "options": {"widths": [12]}},
    "probe": {"num_directions": 24, "batch": 8, "pairs": 4},
    "update": {"step_size": 0.05},
    "engine": {"chunk": 16, "threads": 1},
    "output": {"evaluate_every": 4, "snapshot_every": 3},
}
# Every mechanism that a replay could forget.
FULL = {
    "probe": {"num_local_steps": 4, "num_directions": 16},
    "update": {
        "l2": 1e-3,
        "decoupled_decay": 1e-2,
        "average": 0.9,
        "optimiser": "adam",
        "schedule": "cosine",
        "normalised": True,
    },
}


def begin(folder: Path, *sections: dict) -> Session:
    settings = resolve(SMALL, *sections)
    return start(settings, task_of(settings), folder)


def finished(folder: Path, *sections: dict) -> list[bytes]:
    """Run to the end and return the digest of each round."""
    session = begin(folder, *sections)
    try:
        session.run()
    finally:
        session.close()
    return digests(folder)


def digests(folder: Path) -> list[bytes]:
    with Ledger.open(folder) as ledger:
        return [row.digest for row in ledger.rows()]
