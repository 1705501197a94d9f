"""How good an estimate is at the first round: `python -m experiments.finetuning.start`.

LoRA's B is zero at first, so that the gradient along A is zero. Probes move A all the same, and
what they make of it is noise. One batch of plays, K directions about their mean, against the exact
gradient; lines go to start.jsonl.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "start.jsonl"
DIRECTIONS, EXAMPLES = 512, 8
KEYS = range(3)
RADIUS_EXPONENT = -9


def lines(path: Path = FILE) -> list[dict[str, Any]]:
    """Return what has been measured."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Measure what is missing."""
    from experiments.finetuning.parts import PARTS

    known = {line["part"] for line in lines()}
    for part in PARTS["plays"]:
        if part in known:
            continue
        found = [measured(part, key) for key in KEYS]
        line = {"part": part, "directions": DIRECTIONS, "examples": EXAMPLES, "runs": found}
        with FILE.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)


def measured(part: str, key: int) -> dict[str, float]:
    """Return d, the cosine of estimate and gradient, and A's shares of both squared lengths."""
    import torch

    from baffle.backends.torch.adapter import trained_parameters
    from experiments.finetuning import language
    from experiments.finetuning.parts import PARTS
    from experiments.finetuning.tasks import shifted

    model = PARTS["plays"][part](language.network(), key)
    data = shifted(language.plays()[0][:EXAMPLES])
    parameters = trained_parameters(model)
    inputs, targets = data.inputs, data.targets
    loss = language.token_loss(model(inputs), targets)
    exact = torch.autograd.grad(loss, list(parameters.values()))
    gradient = {n: g.double().numpy() for n, g in zip(parameters, exact, strict=True)}
    estimate = estimated(model, data, key)
    inner = sum(float((gradient[n] * estimate[n]).sum()) for n in gradient)
    of_gradient, of_estimate = _squares(gradient), _squares(estimate)
    length = math.sqrt(sum(of_gradient.values()) * sum(of_estimate.values()))
    return {
        "dimension": sum(g.size for g in gradient.values()),
        "cosine": inner / length,
        "down_of_gradient": _share_of_down(of_gradient),
        "down_of_estimate": _share_of_down(of_estimate),
    }


def estimated(model: Any, data: Any, key: int) -> dict[str, Any]:
    """Return what K probes about their mean make of the gradient, by name, to a factor."""
    import numpy as np

    from baffle.backends.torch import TorchProbe, initial_weights
    from baffle.directions import Place, Points, make_kind
    from experiments.finetuning.language import token_loss

    probe = TorchProbe(model, token_loss, data, chunk=64, threads=1)
    exponents = (RADIUS_EXPONENT,) * len(probe.signature.trained)
    numbers, ones = np.arange(DIRECTIONS, dtype=np.uint32), np.ones(DIRECTIONS, np.int8)
    points = Points(Place(key, 0), make_kind("rank_one", key), exponents, numbers, ones)
    weights = initial_weights(model)
    losses = probe(weights, points, np.arange(EXAMPLES))
    levels = np.rint((losses - losses.mean()) * 2**30).astype(np.int64)
    factors = points.factors(probe.signature, weights)
    return {name: f.weighted_sum(levels).astype(float) for name, f in factors.items()}


def _squares(tensors: dict[str, Any]) -> dict[str, float]:
    return {name: float((x**2).sum()) for name, x in tensors.items()}


def _share_of_down(squares: dict[str, float]) -> float:
    return sum(v for n, v in squares.items() if n.endswith(".down")) / sum(squares.values())


if __name__ == "__main__":
    main()
