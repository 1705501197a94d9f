"""An exported model on a folder of arrays, whichever network asks: a gateway, a Flower node."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from baffle.backends.onnx.manifest import Manifest
from baffle.backends.onnx.probe import OnnxProbe
from baffle.backends.onnx.sessions import PROVIDER, Sessions
from baffle.drivers.device.backing import OnnxBacking, own_copy
from baffle.drivers.device.budget import Budget
from baffle.drivers.device.data import examples_of, held_out_of
from baffle.protocol import Genesis

logger = logging.getLogger("baffle.device")


@dataclass(frozen=True)
class Place:
    """Where an exported model, its data and its client's own files lie, and how it is run.

    Args:
        model: folder as `baffle export` made it.
        data: folder of `.npy` files; see `data`.
        state: the client's own folder, where its copy of the model is written anew each round.
        memory: MiB that the process may take; 0 for no bound.
        threads: of a pass.
        provider: ONNX Runtime's execution provider.
    """

    model: Path
    data: Path
    state: Path
    memory: float = 0.0
    threads: int = 1
    provider: str = PROVIDER


class Exported:
    """An exported model that fits the memory, and its examples.

    Its client's store has to leave the state on disk where `on_disk` says so.

    Args:
        place: of all of it.
        taken: MiB that the process takes before it holds a state.

    Raises:
        ModelError, DataError, ConfigError: what does not fit, in words.
    """

    def __init__(self, place: Place, taken: float) -> None:
        self._place, self._taken = place, taken
        self.manifest = Manifest.read(place.model)
        budget = Budget(place.memory)
        self.graph = budget.choose(self.manifest, taken)
        self.on_disk = budget.on_disk(self.manifest, taken)
        self._examples = examples_of(place.data, self.manifest)
        self._held_out = held_out_of(place.data, self.manifest)

    def backing(self, genesis: Genesis) -> OnnxBacking:
        """Return what a run's client works with.

        Args:
            genesis: of the run.

        Raises:
            ModelError: the folder's files are not those that were exported.
            ConfigError: the run's kind of directions does not fit the memory.
        """
        place = self._place
        Budget(place.memory).require(self.manifest, genesis, self._taken)
        folder = own_copy(place.model, place.state, self.manifest)
        thrifty = place.memory > 0
        sessions = Sessions(folder, self.manifest, place.threads, place.provider, thrifty)
        logger.info(
            "run %s: %d points at once, %d examples, the state %s", genesis.run.hex(),
            self.graph.points, len(self._examples), "on disk" if self.on_disk else "in memory",
        )  # fmt: skip
        return OnnxBacking(OnnxProbe(sessions, self._examples, self.graph.points), self._held_out)
