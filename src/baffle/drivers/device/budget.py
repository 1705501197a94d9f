"""Which pass fits: points at once, by the memory that a process may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from baffle.backends.onnx.manifest import Graph, Manifest
from baffle.directions.rank_one import RankOneKind
from baffle.errors import ConfigError
from baffle.protocol import Genesis

MIB = 2**20
STATE = 8  # copies of the weights: two states with Adam and an average, while one becomes the other
RUNTIME = 3  # in a runtime: the file's, a session's, and packed
# Measured with ONNX Runtime 1.26, LeNet and WRN-10-2: what a first session takes of the library,
# and what a run takes over the tensors that it has to hold.
SESSION, HELD = 12.7, 1.95
# Bytes that drawing one direction takes beside the perturbed copy, an entry of the largest tensor
# (`tracemalloc`, a million entries and four): bits, signs or numbers, and a mask's flat indices.
DRAWING = {"rademacher": 3, "gaussian": 14, "masked": 46}


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

    def require(self, manifest: Manifest, genesis: Genesis, taken: float) -> None:
        """Compare what a run's directions take with what is allowed.

        Args:
            manifest, taken: as for `choose`, which has looked at rank-one directions.
            genesis: of the run.

        Raises:
            ConfigError: their kind needs more; says how much.
        """
        kind = _directions(genesis)
        if not self.most or kind == RankOneKind.name or manifest.open is None:
            return
        least = needed_to_move(manifest, manifest.open, kind, taken)
        if least > self.most:
            raise ConfigError(
                f"expected a memory budget of {least:.0f} MiB or more for {kind} directions of "
                f"this model, which are drawn entry by entry, got {self.most:.0f}"
            )


def _directions(genesis: Genesis) -> str:
    """Return the kind of a run's directions as its settings have it, rank_one if they say none."""
    probe = genesis.settings.get("probe")
    kind = probe.get("directions") if isinstance(probe, dict) else None
    return kind if isinstance(kind, str) else RankOneKind.name


def needed_to_move(manifest: Manifest, graph: Graph, kind: str, taken: float) -> float:
    """Return the MiB that a round through the graph that takes weights is expected to take.

    Its session holds no weights; a perturbed copy does, and drawing takes its part.
    """
    weights = 4 * manifest.signature.dimension / MIB
    largest = max(tensor.size for _, tensor in manifest.signature.trained) / MIB
    drawing = DRAWING.get(kind, max(DRAWING.values())) * largest
    moved = weights + drawing + HELD * graph.activations / MIB
    plain = RUNTIME * weights + HELD * manifest.plain.activations / MIB  # when it evaluates
    return taken + SESSION + STATE * weights + _constants(manifest) + max(moved, plain)


def _constants(manifest: Manifest) -> float:
    return (manifest.constants.size - manifest.constants.begin) / MIB


def needed(manifest: Manifest, graph: Graph, taken: float) -> float:
    """Return the MiB that a round with this pass is expected to take at its peak."""
    weights = 4 * manifest.signature.dimension / MIB
    activations = max(graph.activations, manifest.plain.activations) / MIB
    return taken + SESSION + (STATE + RUNTIME) * weights + _constants(manifest) + HELD * activations


def kept(budget: Budget, peak: Callable[[], float]) -> str:
    """Return a line on what was taken."""
    found = peak()
    bound = f" of {budget.most:.0f}" if budget.most else ""
    over = ", MORE THAN ALLOWED" if budget.most and found > budget.most else ""
    return f"peak memory {found:.0f}{bound} MiB{over}"
