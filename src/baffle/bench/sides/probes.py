"""Our probes: the whole of a `TorchProbe` call, drawing and loss included."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from baffle.backends.torch import TorchProbe, initial_weights
from baffle.bench.sides.work import SIGMA, TURNS, Case, Setting, Side, Work, powers
from baffle.directions import Place, Points, make_kind

KEY, KIND = 1, "rank_one"


class Rows:
    """The batch, as the examples that a probe asks for."""

    def __init__(self, batch: tuple[Any, Any]) -> None:
        self.whole = batch

    def __len__(self) -> int:
        return len(self.whole[1])

    def batch(self, numbers: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return (inputs, targets) of these examples."""
        index = torch.from_numpy(numbers).to(self.whole[1].device)
        return self.whole[0][index], self.whole[1][index]


class Probes(Side):
    """K one-sided points a call, `chunk` points a pass, or one by one `chunk` examples a pass.

    Args:
        case: what to probe.
        shared: the same points again, as another client of the same round has them; else a new
            round a call, so that directions are drawn anew.
    """

    def __init__(self, case: Case, shared: bool = False) -> None:
        self.case, self.unit, self.shared = case, case.examples, shared
        self.module = case.own_module()
        self.weights = read_only(initial_weights(self.module))
        self.taken: dict[Setting, str] = {}  # routes: a module may not allow the one asked for
        self.last: TorchProbe | None = None

    def chunks(self) -> tuple[int, ...]:
        """Return numbers of points."""
        return powers(1, self.case.directions)

    def routes(self) -> dict[str, tuple[int, ...]]:
        """Return chunks of points for the batched pass, of examples for points one by one."""
        examples = self.case.examples
        turns = {TURNS: powers(min(16, examples), examples)}
        return turns if self.case.compiled else {"rank_one": self.chunks(), **turns}

    def work(self, setting: Setting, most: int) -> Work:
        """Return a call whose route has been chosen and checked."""
        case = self.case
        probe = self.last = self.probe(setting)
        count = case.points(most, 1 if setting.route == TURNS else setting.chunk)
        examples = np.arange(case.examples)
        rounds: Iterator[int] = itertools.repeat(0) if self.shared else itertools.count(1)

        def run() -> None:
            probe(self.weights, points_of(probe, count, next(rounds)), examples)

        run()
        self.taken[setting] = probe.route
        return Work(count * case.examples, run)

    def probe(self, setting: Setting) -> TorchProbe:
        """Return a new probe of the module."""
        case = self.case
        rows = Rows(case.batch)
        return TorchProbe(
            self.module,
            case.subject.loss,
            rows,
            setting.chunk,
            setting.threads,
            setting.route,
            case.precision,
            case.compiled,
        )

    def agreement(self, setting: Setting) -> dict[str, float]:
        """Return how losses at this setting go with those of the module as it is, one by one.

        Returns:
            The correlation of K losses, and the largest difference between them.
        """
        plain = TorchProbe(self.module, self.case.subject.loss, Rows(self.case.batch), route=TURNS)
        points = points_of(plain, self.case.directions, 1)
        numbers = np.arange(self.case.examples)
        pair = (self.probe(setting), plain)
        found, expected = (probe(self.weights, points, numbers) for probe in pair)
        return {
            "correlation": float(np.corrcoef(found, expected)[0, 1]),
            "largest_difference": float(np.abs(found - expected).max()),
        }


def points_of(probe: TorchProbe, count: int, round: int) -> Points:
    """Return that many directions of a round, one point each."""
    exponent = int(np.log2(SIGMA))
    return Points(
        Place(KEY, round),
        make_kind(KIND, KEY),
        (exponent,) * len(probe.signature.trained),
        np.arange(count, dtype=np.uint32),
        np.ones(count, dtype=np.int8),
    )


def read_only(weights: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Return copies that nobody can write to, so that a probe loads them once."""
    copies = {name: np.array(w) for name, w in weights.items()}
    for array in copies.values():
        array.flags.writeable = False
    return copies
