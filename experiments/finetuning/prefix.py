"""What a frozen beginning costs probes: `python -m experiments.finetuning.prefix`.

ResNet-20's head, K directions on a few pictures, in processor seconds of one thread, best of three:
plain inference of the whole network, probes of it as they come, with all directions in one pass,
and on features that are computed once. All in one call, which writes prefix.json.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "prefix.json"
DIRECTIONS, EXAMPLES, TURNS = 128, 4, 3


def main() -> None:
    """Measure and store."""
    found = measured()
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))


def measured() -> dict[str, float]:
    """Return evaluations of an example a second, by way."""
    import torch

    from baffle.models.trained_part import features, split_frozen
    from experiments.finetuning.networks import resnet20
    from experiments.finetuning.parts import PARTS

    torch.set_num_threads(1)
    model = PARTS["negatives"]["head"](resnet20(), key=0)
    assert isinstance(model, torch.nn.Sequential)
    pictures = torch.linspace(-1, 1, EXAMPLES * 3 * 32**2).view(EXAMPLES, 3, 32, 32)
    frozen, rest = split_frozen(model)
    many = pictures.repeat(DIRECTIONS // 8, 1, 1, 1)
    with torch.inference_mode():
        plain = len(many) / _seconds(lambda: model(many))
    known = features(frozen, pictures)
    return {
        "plain inference": plain,
        "probes, as they come": _probed(model, pictures, 0),
        "probes, one pass": _probed(model, pictures, DIRECTIONS),
        "probes, on features": _probed(rest, known, DIRECTIONS),
    }


def _probed(model: Any, inputs: Any, chunk: int) -> float:
    import numpy as np
    import torch
    from torch.nn.functional import cross_entropy

    from baffle.backends.torch import TorchProbe, initial_weights
    from baffle.bench.sides.probes import points_of
    from baffle.drivers.local.task import TensorExamples

    data = TensorExamples(inputs, torch.arange(len(inputs)))
    probe = TorchProbe(model, cross_entropy, data, chunk=chunk, threads=1)
    weights, rows = initial_weights(model), np.arange(len(inputs))
    points = points_of(probe, DIRECTIONS, 0)
    probe(weights, points, rows)  # chooses the route
    return DIRECTIONS * len(inputs) / _seconds(lambda: probe(weights, points, rows))


def _seconds(work: Callable[[], Any]) -> float:
    best = float("inf")
    for _ in range(TURNS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


if __name__ == "__main__":
    main()
