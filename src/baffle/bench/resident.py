"""One process whose peak resident memory is measured: `python -m baffle.bench.resident`.

It does one thing and prints one JSON object. Each way imports only what it needs, so that plain
inference carries nothing of the probes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from baffle.drivers.resident import peak_mib

PASSES = 2  # the first one makes buffers that later ones find


def imports(name: str, examples: int, directions: int) -> None:
    """Import the modules' definitions and torch, and no more."""
    import baffle.bench.modules  # noqa: F401


def imports_ours(name: str, examples: int, directions: int) -> None:
    """Import what a probe needs beside."""
    import baffle.bench.sides  # noqa: F401


def inference(name: str, examples: int, directions: int) -> None:
    """Run forward passes of B rows under torch.inference_mode."""
    import torch

    module, (inputs, _), _ = _given(name, examples)
    with torch.inference_mode():
        for _ in range(PASSES):
            module(inputs)


def ours(name: str, examples: int, directions: int, low_memory: bool = False) -> None:
    """Probe K directions once, which chooses the route and checks it against the slow truth.

    The weights are views of the module's own, as a client has them that keeps one copy.
    """
    import numpy as np

    from baffle.backends.torch import TorchProbe
    from baffle.bench.sides.probes import Rows, points_of

    module, batch, loss = _given(name, examples)
    weights = {n: p.detach().numpy() for n, p in module.named_parameters()}
    probe = TorchProbe(module, loss, Rows(batch), low_memory=low_memory)
    probe(weights, points_of(probe, directions, 0), np.arange(examples))


def ours_chunk_1(name: str, examples: int, directions: int) -> None:
    """Probe K directions in the least memory: one point a pass."""
    ours(name, examples, directions, low_memory=True)


def backward(name: str, examples: int, directions: int) -> None:
    """Take training steps on B rows."""
    module, batch, loss = _given(name, examples)
    _train(module, batch, loss)


def checkpointed(name: str, examples: int, directions: int) -> None:
    """Take training steps on B rows that compute the blocks' activations twice."""
    from baffle.bench.modules import checkpoint_blocks, subject_of

    module, batch, loss = _given(name, examples)
    checkpoint_blocks(subject_of(name), module)
    _train(module, batch, loss)


def _given(name: str, examples: int) -> tuple[Any, Any, Any]:
    from baffle.bench.modules import batch_of, module_of, subject_of

    subject = subject_of(name)
    return module_of(subject), batch_of(subject, examples), subject.loss


def _train(module: Any, batch: Any, loss: Any) -> None:
    from baffle.bench.by_hand import step

    inputs, targets = batch
    parameters = list(module.parameters())
    for _ in range(PASSES):
        loss(module(inputs), targets).backward()
        step(parameters, 1e-6)


WAYS: dict[str, Callable[[str, int, int], None]] = {
    "imports": imports,
    "imports_ours": imports_ours,
    "inference": inference,
    "ours_chunk_1": ours_chunk_1,
    "ours": ours,
    "backward": backward,
    "checkpointed": checkpointed,
}


def main(way: str, name: str, examples: str, directions: str, threads: str) -> None:
    """Do one thing and print the peak, and which of our packages were loaded."""
    import torch

    torch.set_num_threads(int(threads))
    WAYS[way](name, int(examples), int(directions))
    loaded = sorted({m.split(".")[1] for m in sys.modules if m.startswith("baffle.")})
    sys.stdout.write(json.dumps({"peak_mib": peak_mib(), "packages": loaded}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
