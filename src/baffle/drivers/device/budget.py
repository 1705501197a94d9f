"""Which pass fits: points at once, by the memory that a process may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from baffle.backends.onnx.manifest import Graph, Manifest
from baffle.errors import ConfigError

MIB = 2**20
STATE = 8  # copies of the weights: two states with Adam and an average, while one becomes the other
RUNTIME = 3  # in a runtime: the file's, a session's, and packed
# Measured with ONNX Runtime 1.26, LeNet and WRN-10-2: what a first session takes of the library,
# and what a run takes over the tensors that it has to hold.
SESSION, HELD = 12.7, 1.95


@dataclass(frozen=True)
class Budget:
    """What a process may take.

    Args:
        most: MiB of resident memory; 0 for no bound.
    """

    most: float = 0.0

    def choose(self, manifest: Manifest, taken: float) -> Graph:
        """Return the largest pass that fits.

        Args:
            manifest: of the exported model.
            taken: MiB that the process takes before it holds a state.

        Raises:
            ConfigError: not even the smallest fits; says what it would take.
        """
        for graph in manifest.passes:
            if not self.most or needed(manifest, graph, taken) <= self.most:
                return graph
        least = needed(manifest, manifest.passes[-1], taken)
        raise ConfigError(
            f"expected a memory budget of {least:.0f} MiB or more for this model with "
            f"{manifest.passes[-1].points} points at once, got {self.most:.0f}: export it with "
            "fewer examples a pass (--batch), or train with update.optimiser=sgd and "
            "update.average=0, which hold less"
        )


def needed(manifest: Manifest, graph: Graph, taken: float) -> float:
    """Return the MiB that a round with this pass is expected to take at its peak."""
    weights = 4 * manifest.signature.dimension / MIB
    constants = (manifest.constants.size - manifest.constants.begin) / MIB
    activations = max(graph.activations, manifest.plain.activations) / MIB
    return taken + SESSION + (STATE + RUNTIME) * weights + constants + HELD * activations


def kept(budget: Budget, peak: Callable[[], float]) -> str:
    """Return a line on what was taken."""
    found = peak()
    bound = f" of {budget.most:.0f}" if budget.most else ""
    over = ", MORE THAN ALLOWED" if budget.most and found > budget.most else ""
    return f"peak memory {found:.0f}{bound} MiB{over}"
