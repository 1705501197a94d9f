"""A client's peak memory: two rounds in a fresh process that holds one client's examples.

The process has the libraries, the model, these examples and the weights, as a device would; the
server's part of the round runs in it too, which adds its copy of the weights and of the
optimiser's moments. So the figure is a little above a real client's, for every algorithm alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from baffle.config import Settings, resolve
from baffle.errors import BaffleError

MIB = 2**20


def peak_of_client(settings: Settings) -> dict[str, float]:
    """Return `peak`, bytes resident at the most, and `idle`, those before the first round.

    Args:
        settings: of the run; the first client's examples are taken.

    Raises:
        BaffleError: the measuring process ended with an error.
    """
    from baffle.drivers.local.task import task_of

    task = task_of(settings)
    inputs, targets = task.train.batch(task.rows[0])
    classes = 1 + max(int(task.train.batch(rows)[1].max()) for rows in task.rows)
    with tempfile.TemporaryDirectory(prefix="baffle-client-") as folder:
        examples = Path(folder) / "examples.npz"
        np.savez(examples, inputs=np.asarray(inputs), targets=np.asarray(targets))
        (Path(folder) / "settings.json").write_text(settings.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-m", "baffle.api.client_memory", folder, str(classes)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=_alone())
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BaffleError(f"the process that measures memory failed: {last}")
    found: Mapping[str, float] = json.loads(done.stdout.splitlines()[-1])
    return dict(found)


def _alone() -> Mapping[str, str]:
    """Return an environment in which freed memory does not depend on how many threads there are."""
    return os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


def main(folder: str, classes: str) -> None:
    """Be that process."""
    import torch

    from baffle.api.run import Hooks, run
    from baffle.bench.resident import peak_mib
    from baffle.drivers.local.task import own_task
    from baffle.models import build

    torch.set_num_threads(1)
    settings = resolve(json.loads((Path(folder) / "settings.json").read_text(encoding="utf-8")))
    with np.load(Path(folder) / "examples.npz") as stored:
        inputs, targets = torch.from_numpy(stored["inputs"]), torch.from_numpy(stored["targets"])
    m = settings.model
    model = build(m.name, tuple(inputs.shape[1:]), int(classes), settings.key, **m.options)
    task = own_task(model, [(inputs, targets)], torch.nn.functional.cross_entropy, None)
    one = settings.federation.model_copy(update={"clients": 1, "cohort": 1, "dropout": 0.0})
    found: dict[str, float] = {}
    hooks = Hooks(
        on_start=lambda session: found.update(idle=peak_mib() * MIB),
        on_round=lambda row: found.update(peak=peak_mib() * MIB),
    )
    run(settings.model_copy(update={"federation": one}), task, Path(folder) / "run", hooks)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
