"""How far estimates of K directions are from autograd's gradient, through the library's own path.

Points, losses, differences, 16-bit integers, their sum, the rebuilt estimate: as in a round of one
client. The error is |ĝ - g|² / |g|², the mean over disjoint blocks of K of the directions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.backends.torch import TorchProbe, initial_weights
from baffle.config import resolve
from baffle.directions import Kind, ModelSignature, Place, Points, make_kind
from baffle.drivers.local.task import task_of
from baffle.estimators import ESTIMATORS
from baffle.quantisation import Quantiser, rounding_rows
from baffle.updates import NUMPY
from baffle.updates.rebuild import Sums, estimate
from experiments.constant.truth import gradient, train

BITS = 16
SMALLEST, MOST_BLOCKS = 8, 8
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Directions:
    """The integers of one round of one client.

    Args:
        kind, signature, key: which directions.
        values: int64 [K].
        step_exponent: log2 of the quantisation step.
    """

    kind: Kind
    signature: ModelSignature
    key: int
    values: NDArray[np.int64]
    step_exponent: int

    def estimate(self, start: int, stop: int) -> Vector:
        """Return the estimate of directions start to stop alone, as one vector."""
        part = np.zeros_like(self.values)
        part[start:stop] = self.values[start:stop]
        scales = (0,) * len(self.signature.trained)
        sums = Sums(part[None], 1, self.step_exponent, scales, directions=stop - start)
        found = estimate(self.kind, self.signature, self.key, 0, 0, sums, None, NUMPY)
        return flat(self.signature, found)


def measure(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the errors at every K that is a power of four times 8.

    Args:
        asked: "model", "data", "key", "when" ("first" or "trained"), "kind", "estimator",
            "radius" (its exponent), "K" (the most), "batch".
    """
    settings = {"key": asked["key"], "data": {"name": asked["data"], "partition": "iid"}}
    settings["data"]["partition_options"] = {}
    task = task_of(resolve(settings | {"model": {"name": asked["model"]}}))
    if asked["when"] == "trained":
        train(task, asked["key"])
    order = np.random.Generator(np.random.Philox(asked["key"])).permutation(len(task.train))
    rows = order[: asked["batch"]]
    probe = TorchProbe(task.model, task.loss, task.train, chunk=64, threads=1)
    found, loss = answered(probe, asked, rows)
    exact = flat(found.signature, gradient(task, rows))
    return {
        "d": len(exact),
        "loss": loss,
        "norm": float(np.linalg.norm(exact)),
        "bias": bias(found, exact),
        "errors": list(errors(found, exact)),
    }


def answered(
    probe: TorchProbe, asked: Mapping[str, Any], rows: NDArray[np.int64]
) -> tuple[Directions, float]:
    """Return what a client answers to a plan of K directions, and the mean loss."""
    kind, signature = make_kind(asked["kind"], asked["key"]), probe.signature
    estimator, K = ESTIMATORS[asked["estimator"]], asked["K"]
    layout = estimator.layout(K, 0)
    exponents = (asked["radius"],) * len(signature.trained)
    place = Place(asked["key"], 0, 0)
    points = Points(place, kind, exponents, layout.directions, layout.signs)
    losses = probe(initial_weights(probe.module), points, rows)
    derivatives = estimator.derivatives(losses[None], K, 0, 2.0 ** asked["radius"])
    most = float(np.abs(derivatives.values).max())
    step = math.ceil(math.log2(most / (2 ** (BITS - 1) - 1)))
    words = rounding_rows(np.zeros(1, dtype=np.uint64), 0, 0, K)
    integers = Quantiser(BITS, step).quantise_rows(derivatives.values, words)[0].values
    return Directions(kind, signature, asked["key"], integers, step), float(derivatives.loss[0])


def errors(found: Directions, exact: Vector) -> Iterator[dict[str, float]]:
    """Yield the mean squared relative error and the mean cosine at every K."""
    most, K = len(found.values), SMALLEST
    while most >= K:
        blocks = min(most // K, MOST_BLOCKS)
        each = [found.estimate(K * block, K * (block + 1)) for block in range(blocks)]
        square = float(exact @ exact)
        yield {
            "K": K,
            "blocks": blocks,
            "error": float(np.mean([np.sum((e - exact) ** 2) / square for e in each])),
            "cosine": float(np.mean([cosine(e, exact) for e in each])),
        }
        K *= 4


def bias(found: Directions, exact: Vector) -> float:
    """Return |E ĝ - g|² / |g|²: the product of the errors of two halves, whose noise is not shared.

    It has no bias of its own and may be negative; its standard deviation is about 2√d/K.
    """
    half = len(found.values) // 2
    one, other = found.estimate(0, half) - exact, found.estimate(half, 2 * half) - exact
    return float(one @ other / (exact @ exact))


def cosine(one: Vector, other: Vector) -> float:
    """Return the cosine of the angle between two vectors; 0 if one of them is 0."""
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0


def flat(signature: ModelSignature, tensors: Mapping[str, Any]) -> Vector:
    """Return tensors as one vector in the signature's order."""
    parts = [np.asarray(tensors[t.name], dtype=np.float64).ravel() for _, t in signature.trained]
    return np.concatenate(parts)
