"""A client's peak memory: two rounds in a fresh process that holds one client's examples.

The process has the libraries, the model, these examples and the weights, as a device would; the
server's part of the round runs in it too, which adds its copy of the weights and of the
optimiser's moments. So the figure is a little above a real client's, for every algorithm alike.

Its round has this one client. Groups, secure sums, robust rules and noise for privacy need several,
so they are left out: what they take (a mask, a vector of K integers) is not in the figure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from baffle.baselines import BASELINES
from baffle.config import Settings, candidates_of, resolve
from baffle.errors import BaffleError

MIB = 2**20
ALONE = {"clients": 1, "cohort": 1, "dropout": 0.0, "slow": 0.0, "min_reports": 1}
PROTECTIONS = ("groups", "robust", "secure", "privacy", "hostile")


def peak_of_client(settings: Settings) -> dict[str, float]:
    """Return `peak`, bytes resident at the most, and `idle`, those before the first round.

    Args:
        settings: of the run; the first client's examples are taken.

    Raises:
        BaffleError: the measuring process ended with an error, or the data are not here.
    """
    from baffle.data import load, partition

    d, clients = settings.data, settings.federation.clients
    data = load(d.name, d.root or None, **d.options)
    rows = partition(d.partition, data, clients, settings.key, **d.partition_options)[0]
    with tempfile.TemporaryDirectory(prefix="baffle-client-") as folder:
        np.savez(
            Path(folder) / "examples.npz", inputs=data.train_x[rows], targets=data.train_y[rows]
        )
        (Path(folder) / "settings.json").write_text(alone(settings).model_dump_json())
        command = [sys.executable, "-m", __name__, folder, str(data.classes)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=_quiet())
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BaffleError(f"the process that measures memory failed: {last}")
    found: Mapping[str, float] = json.loads(done.stdout.splitlines()[-1])
    return dict(found)


def alone(settings: Settings) -> Settings:
    """Return the settings of a round with one client, which computes what it would with others.

    Args:
        settings: of the run.

    Example:
        >>> one = alone(resolve({"federation": {"clients": 12}, "secure": {"sums": True}}))
        >>> one.federation.clients, one.secure.sums
        (1, False)
    """
    changed: dict[str, Any] = {"federation": settings.federation.model_copy(update=ALONE)}
    if settings.algorithm not in BASELINES:  # what privacy allows it, before that is left out
        picked = {"candidates": candidates_of(settings)}
        changed["probe"] = settings.probe.model_copy(update=picked)
    default = Settings()
    return settings.model_copy(update=changed | {n: getattr(default, n) for n in PROTECTIONS})


def _quiet() -> Mapping[str, str]:
    """Return an environment in which freed memory does not depend on how many threads there are."""
    return os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


def main(folder: str, classes: str) -> None:
    """Be that process."""
    import torch

    from baffle.drivers.local.beginning import prepared
    from baffle.drivers.local.task import own_task
    from baffle.drivers.resident import peak_mib
    from baffle.models import build

    torch.set_num_threads(1)
    settings = resolve(json.loads((Path(folder) / "settings.json").read_text(encoding="utf-8")))
    with np.load(Path(folder) / "examples.npz") as stored:
        inputs, targets = torch.from_numpy(stored["inputs"]), torch.from_numpy(stored["targets"])
    m = settings.model
    model = build(m.name, tuple(inputs.shape[1:]), int(classes), settings.key, **m.options)
    task = own_task(model, [(inputs, targets)], torch.nn.functional.cross_entropy, None)
    chosen, begin = prepared(settings, task)
    session = begin(chosen, task, Path(folder) / "run")
    found = {"idle": peak_mib() * MIB}
    try:
        session.run()
    finally:
        session.close()
    sys.stdout.write(json.dumps(found | {"peak": peak_mib() * MIB}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
