"""Write each client's share of a run's data as a device's folder: input.npy, target.npy, test/.

    python examples/device/prepare.py CONFIG DIR

A real device has data of its own; this makes a federation of one machine to try things with.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from baffle.config import load_config, resolve
from baffle.drivers.local.task import task_of


def main(config: str, folder: str) -> None:
    """Write DIR/0, DIR/1, …: one folder a client; test rows are dealt out one after another."""
    given = load_config(Path(config))
    given.pop("fleet", None)
    settings = resolve(given)
    task, clients = task_of(settings), settings.federation.clients
    for number in range(clients):
        own = Path(folder) / str(number)
        _write(own, task.train, task.rows[number])
        if task.test is not None:
            _write(own / "test", task.test, np.arange(number, len(task.test), clients))


def _write(folder: Path, examples, rows) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    x, y = examples.batch(np.asarray(rows))
    np.save(folder / "input.npy", x.numpy())
    np.save(folder / "target.npy", y.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
