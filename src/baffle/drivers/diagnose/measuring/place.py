"""Where losses are evaluated: the run's own probe, one in float32, some examples, directions."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from baffle.backends.torch import TorchProbe
from baffle.backends.torch.adapter import trained_parameters
from baffle.backends.torch.precision import CastExamples
from baffle.config import EngineSettings
from baffle.directions import ModelSignature, Points
from baffle.directions import Place as Coordinates
from baffle.drivers.diagnose.reading import Found, Slot
from baffle.drivers.local.engine import probe_of
from baffle.drivers.local.task import Task
from baffle.protocol import Plan
from baffle.protocol.steps import batch_size

DIRECTIONS = 48
CLIENTS = 2  # whose batches fidelity is measured on
POOLED = 128  # examples of all clients for what is no client's own
Examples = NDArray[np.int64]
Floats = NDArray[np.float64]
OFF = -120  # log2 of a radius that moves no weight of ordinary size


@dataclass(frozen=True, eq=False)
class Place:
    """What the measurements share.

    Args:
        task: model and data.
        plan: of the run's last round.
        signature: of the model.
        own: evaluates as the run does.
        full: evaluates in float32; the same object where the run does so too.
    """

    task: Task
    plan: Plan
    signature: ModelSignature
    own: TorchProbe
    full: TorchProbe

    @staticmethod
    def of(found: Found, task: Task, engine: EngineSettings) -> Place:
        """Return the place of a run with a round at least."""
        plan = cast("Plan", found.weights.plan)
        own = probe_of(task, engine)
        full = _in_float32(task, engine) if _is_half(task, engine) else own
        return Place(task, plan, found.genesis.signature, own, full)

    @property
    def batches(self) -> list[Examples]:
        """One batch of each of two clients, of the size that the run takes."""
        count = len(self.task.rows)
        whose = sorted({0, count // 2})[:CLIENTS]
        return [self.task.rows[c][: min(64, batch_size(self.plan, 64))] for c in whose]

    @property
    def pooled(self) -> Examples:
        """Some examples of up to sixteen clients."""
        count = len(self.task.rows)
        whose = sorted({c * count // 16 for c in range(16)})
        each = max(1, POOLED // len(whose))
        return np.concatenate([self.task.rows[c][:each] for c in whose])

    def points(self, numbers: Any, signs: Any, radius: int, only: int | None = None) -> Points:
        """Return points of the run's kind of direction, in a round that it does not have.

        Args:
            numbers, signs: of directions.
            radius: log2 of σ; a tensor's own scale comes on top, as in the run.
            only: number of the one trained tensor that moves; None for all.
        """
        scales = self.plan.tensor_scales(self.signature)
        moved = tuple(radius + s if only in (None, i) else OFF for i, s in enumerate(scales))
        where = Coordinates(self.plan.key, self.plan.round + 1, 0)
        directions, signs = np.asarray(numbers, dtype=np.uint32), np.asarray(signs, dtype=np.int8)
        return Points(where, self.plan.kind, moved, directions, signs)

    def central(
        self,
        probe: TorchProbe,
        weights: Slot,
        examples: Examples,
        radius: int,
        count: int = DIRECTIONS,
        only: int | None = None,
    ) -> Floats:
        """Return central differences at σ = 2^radius along `count` directions; 0 if not finite."""
        points = self.points(np.tile(np.arange(count), 2), np.repeat([1, -1], count), radius, only)
        losses = probe(weights, points, examples)
        with np.errstate(invalid="ignore", over="ignore"):
            found = (losses[:count] - losses[count:]) / 2.0 ** (radius + 1)
        return np.where(np.isfinite(found), found, 0.0)

    def loss(self, weights: Slot) -> float:
        """Return the loss over the pooled examples."""
        return float(self.own(weights, self.points([0], [0], 0), self.pooled)[0])


def _is_half(task: Task, engine: EngineSettings) -> bool:
    dtypes = {p.dtype for p in trained_parameters(task.model).values()}
    return engine.precision != "own" or bool(dtypes & {torch.float16, torch.bfloat16})


def _in_float32(task: Task, engine: EngineSettings) -> TorchProbe:
    model = copy.deepcopy(task.model).to(torch.float32)
    examples = CastExamples(task.train, torch.float32)
    return TorchProbe(model, task.loss, examples, chunk=engine.chunk, threads=engine.threads)
