"""An exported model's page: `Manifest.from_json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baffle.backends.onnx.manifest import DTYPES, PAGE, Array, Constants, Graph, Manifest
from baffle.directions import ModelSignature, TensorSpec
from baffle.errors import ModelError
from tools.fuzz import texts
from tools.fuzz.draws import Draws
from tools.fuzz.jsons import NAMES
from tools.fuzz.mutations import Sample, mutated
from tools.fuzz.target import Bytes, Case, differing


def manifest(draws: Draws, tensors: int) -> Manifest:
    """Return a valid page of so many tensors."""
    specs = tuple(
        TensorSpec(
            f"{draws.pick(NAMES)}.{n}", tuple(draws.between(1, 9) for _ in range(draws.below(4))),
            "float32", n == 0 or not draws.chance(4),
        )
        for n in range(tensors)
    )  # fmt: skip
    places, end = {}, 0
    for spec in specs:
        if spec.trainable:
            places[spec.name] = end
            end += -(-4 * spec.size // 64) * 64
    begin = -(-end // PAGE) * PAGE
    batch = draws.between(1, 64)
    passes = sorted({draws.between(2, 64) for _ in range(draws.between(1, 3))}, reverse=True)
    return Manifest(
        ModelSignature(specs, draws.pick((b"", draws.bytes(32)))),
        tuple(_array(draws, f"input.{n}") for n in range(draws.between(1, 3))),
        (_array(draws, "target"),),
        draws.pick(("one", "tuple", "dict")),
        (_graph(draws, 1, batch), *(_graph(draws, points, batch) for points in passes)),
        Constants("weights.bin", begin + draws.bits(20), places, begin, draws.bytes(32).hex()),
        18,
        {"baffle": "0.1.0", "torch": "2.13.0"},
        draws.bits(20) * 2.0**-40,
    )


def _array(draws: Draws, name: str) -> Array:
    shape = tuple(draws.between(1, 30) for _ in range(draws.below(4)))
    return Array(name, shape, draws.pick(DTYPES))


def _graph(draws: Draws, points: int, batch: int) -> Graph:
    outputs = ("losses",) if points > 1 or draws.chance(2) else ("losses", "right")
    name = "plain.onnx" if points == 1 else f"pass-{points}.onnx"
    return Graph(name, points, batch, outputs, draws.bits(30), draws.bytes(32).hex())


class Exports(Bytes):
    """`Manifest.from_json`, of a folder that somebody else may have made."""

    name = "export"
    errors = (ModelError,)
    slope = 160
    constant = 1 << 16

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a page; a large one has hundreds of tensors."""
        found = manifest(draws, 400 if large else draws.between(1, 5))
        return Sample(found.to_json().encode(), header=0), found

    def mutate(self, draws: Draws, sample: Sample, pool: Sequence[Sample]) -> bytes:
        """Attack it as JSON, seldom as bytes."""
        if draws.chance(4):
            return mutated(draws, sample, pool)
        return texts.attacked(draws, sample.data.decode()).encode("utf-8", "surrogatepass")

    def decode(self, case: Case) -> Manifest:
        """Call it with what a file's reader would hand on."""
        return Manifest.from_json(case.data.decode("utf-8", "surrogateescape"))

    def wrong(self, case: Case, value: Manifest) -> str | None:
        """Check that it is a page again, and that what is read by it lies in the folder."""
        files = [*(graph.file for graph in value.graphs), value.constants.file]
        ends = [value.constants.trained[t.name] + 4 * t.size for _, t in value.signature.trained]
        return differing(
            {
                "same": not case.honest or value == case.about,
                "again": Manifest.from_json(value.to_json()) == value,
                "digest": len(value.digest) == 64,
                "files": all(set(name).isdisjoint("/\\\0") for name in files),
                "places": max(ends) <= value.constants.begin <= value.constants.size,
                "passes": all(graph.points > 1 for graph in value.passes),
            }
        )
