"""Which pass fits: points at once, by the memory that a process may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from baffle.backends.onnx.manifest import Graph, Manifest
from baffle.errors import ConfigError

MIB = 2**20
STATE = 4  # copies of the weights in a training state with Adam and an average
RUNTIME = 2  # copies in a runtime: the file's, and packed


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
    return taken + (STATE + RUNTIME) * weights + constants + activations


def kept(budget: Budget, peak: Callable[[], float]) -> str:
    """Return a line on what was taken."""
    found = peak()
    bound = f" of {budget.most:.0f}" if budget.most else ""
    over = ", MORE THAN ALLOWED" if budget.most and found > budget.most else ""
    return f"peak memory {found:.0f}{bound} MiB{over}"
