"""Losses of an exported model around given weights, by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baffle.backends.onnx.examples import ArrayExamples
from baffle.backends.onnx.manifest import Graph
from baffle.backends.onnx.moved import moved_weights
from baffle.backends.onnx.sessions import Sessions
from baffle.backends.onnx.weights import Weights
from baffle.directions import Points
from baffle.directions.columns import Columns
from baffle.directions.rank_one import RankOneKind
from baffle.errors import ProbeError
from baffle.updates.grid import STEP_EXPONENT, on_grid

FACTORS = "factors"


class Found(NamedTuple):
    """Loss and number of right answers on a data set; no number where targets are no classes."""

    loss: float
    right: int | None
    examples: int


class OnnxProbe:
    """Evaluate an exported model's loss at points around given weights.

    A graph takes P points and B examples a run, no more and no fewer: what is left of a plan's
    points and of a batch is filled up, and what came of the filling is left out.

    Rank-one directions go P at a time through a graph that takes their factors. Directions of any
    other kind go point after point through the one that takes weights.

    Args:
        sessions: of the exported folder.
        examples: numbered examples, with the arrays that the model takes.
        points: P, one of the exported ones; 0 for the largest.

    Raises:
        DataError: the arrays are not those that the model takes.
        ProbeError: no graph has so many points.

    Example:
        manifest = Manifest.read(folder)
        probe = OnnxProbe(Sessions(folder, manifest), ArrayExamples({"input": x, "target": y}))
        losses = probe(weights, points, np.arange(8))
    """

    def __init__(self, sessions: Sessions, examples: ArrayExamples, points: int = 0) -> None:
        self.manifest = sessions.manifest
        examples.require(self.manifest)
        self.sessions, self.examples = sessions, examples
        self._columns = Columns(self.manifest.signature)
        self._graph = self._of(points)

    def _of(self, points: int) -> Graph:
        known = {graph.points: graph for graph in self.manifest.passes}
        if points and points not in known:
            raise ProbeError(f"expected a pass of {sorted(known)} points, got {points}")
        return known[points] if points else self.manifest.passes[0]

    def __call__(
        self, weights: Weights, points: Points, example_numbers: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the mean loss over the examples at each point; float64 [P].

        The weights are read only. A mean is taken in float64 over losses in float32.

        Raises:
            ProbeError: no examples, or directions that are not rank-one and an old export.
            ModelError: the weights do not fit.
        """
        if not len(points):
            return np.empty(0)
        if not len(example_numbers):
            raise ProbeError("expected at least one example to evaluate the loss on, got none")
        return self.each(weights, points, example_numbers).mean(axis=0)

    def each(
        self, weights: Weights, points: Points, example_numbers: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the loss of each example at each point; float64 [B, P].

        Raises:
            ProbeError, ModelError: as a call.
        """
        self._require_whole_steps(points)
        try:
            if isinstance(points.kind, RankOneKind):
                self.sessions.load(weights)
                return self._each(points, example_numbers)
            return self._each_moved(weights, points, example_numbers)
        finally:
            self.sessions.rest()

    def _require_whole_steps(self, points: Points) -> None:
        """Refuse what would not move int8 weights by one step: a graph's kernels know no less."""
        trained = self.manifest.signature.trained
        for (_, tensor), exponent in zip(trained, points.radius_exponents, strict=True):
            if on_grid(tensor.name) and (exponent, points.kind.peak) != (STEP_EXPONENT, 1):
                raise ProbeError(
                    f"expected directions of ±1 with radius 2^{STEP_EXPONENT} for the int8 weights "
                    f"{tensor.name}, got {points.kind.name} ones with radius 2^{exponent}"
                )

    def _each_moved(
        self, weights: Weights, points: Points, example_numbers: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the losses at points whose directions have no factors."""
        graph = self.manifest.open
        if graph is None:
            raise ProbeError(
                f"expected rank_one directions, got {points.kind.name}: this model was exported "
                "by an older version, whose folders have no graph for them; export it again"
            )
        self.sessions.file.require(weights)
        found = np.empty((len(example_numbers), len(points)))
        for place, moved in enumerate(moved_weights(weights, self.manifest.signature, points)):
            for rows, batch in self._batches(example_numbers, graph.batch):
                losses = self.sessions.run(graph, {**batch, **moved})[0]
                found[rows, place] = losses[: rows.stop - rows.start]
        return found

    def _each(self, points: Points, example_numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        if not points.signs.any():  # the unperturbed point, once or more often
            found = np.empty((len(example_numbers), 1))
            for rows, losses, _ in self._plain(example_numbers):
                found[rows, 0] = losses
            return np.repeat(found, len(points), axis=1)
        found = np.empty((len(example_numbers), len(points)))
        signs = self._columns.draw(points)
        for rows, batch in self._batches(example_numbers, self._graph.batch):
            for start in range(0, len(points), self._graph.points):
                stop = min(start + self._graph.points, len(points))
                scaled = self._columns.scaled(points.part(start, stop), signs[start:stop])
                losses = self.sessions.run(self._graph, {**batch, FACTORS: self._filled(scaled)})[0]
                found[rows, start:stop] = losses[: stop - start, : rows.stop - rows.start].T
        return found

    def evaluate(self, weights: Weights) -> Found:
        """Return the mean loss over all examples, and how many are right.

        Raises:
            ModelError: the weights do not fit.
        """
        self.sessions.load(weights)
        total, right, known = 0.0, 0, True
        for _, losses, correct in self._plain(np.arange(len(self.examples))):
            total += float(losses.sum(dtype=np.float64))
            known = known and correct is not None
            right += int(correct.sum()) if correct is not None else 0
        self.sessions.rest()
        count = len(self.examples)
        return Found(total / count if count else 0.0, right if known else None, count)

    def _plain(
        self, numbers: NDArray[np.int64]
    ) -> Iterator[tuple[slice, NDArray[np.float32], NDArray[np.bool_] | None]]:
        """Yield rows, their losses at the weights, and whether answers are right."""
        for rows, batch in self._batches(numbers, self.manifest.plain.batch):
            found = [
                x[: rows.stop - rows.start] for x in self.sessions.run(self.manifest.plain, batch)
            ]
            yield rows, found[0], found[1] if len(found) > 1 else None

    def _batches(
        self, numbers: NDArray[np.int64], size: int
    ) -> Iterator[tuple[slice, Mapping[str, NDArray]]]:
        """Yield rows and their arrays, `size` at a time; the last example fills up the last."""
        for start in range(0, len(numbers), size):
            part = numbers[start : start + size]
            filled = np.concatenate((part, np.repeat(part[-1:], size - len(part))))
            yield slice(start, start + len(part)), self.examples.batch(filled)

    def _filled(self, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a whole pass's rows, with unperturbed points behind."""
        missing = self._graph.points - len(scaled)
        return np.pad(scaled, ((0, missing), (0, 0))) if missing else scaled
