"""What fits into the memory that a process may take: points at once, and the state or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from baffle.backends.onnx.manifest import Graph, Manifest
from baffle.backends.onnx.moved import AT_ONCE
from baffle.directions.rank_one import RankOneKind
from baffle.errors import ConfigError
from baffle.protocol import Genesis
from baffle.protocol.in_parts import PART

MIB = 2**20
# Measured with ONNX Runtime 1.26 on LeNet, WRN-10-2 and MobileNetV2, whole rounds with --memory:
# what a first session takes of the library; copies of the weights in a runtime (packed, and mapped
# while it packs them); and what a run takes over the tensors that it has to hold.
SESSION, RUNTIME, HELD = 12.8, 2, 2.2
# Copies of the weights in memory: a state with Adam and an average, and one that becomes the next.
STATE, ADVANCING = 4, 10.7
# Copies of a part while a state on disk does, the signs of K = 64 directions among them.
UPDATING = 10
# What drawing one direction takes beside the perturbed copy: bytes an entry of the largest tensor
# (`tracemalloc`: bits, signs or numbers, and a mask's flat indices), and MiB of tables and code
# (whole rounds of LeNet-5, WRN-10-2 and a perceptron of 1.3 million weights).
DRAWING = {"rademacher": (3, 0.0), "gaussian": (14, 4.0), "masked": (46, 1.5)}


@dataclass(frozen=True)
class Budget:
    """What a process may take.

    Args:
        most: MiB of resident memory; 0 for no bound.
    """

    most: float = 0.0

    def on_disk(self, manifest: Manifest, taken: float) -> bool:
        """Say whether the state has to lie on disk, for not even the smallest pass fits beside it.

        Args:
            manifest, taken: as for `choose`.
        """
        return bool(self.most) and self._fitting(manifest, taken, on_disk=False) is None

    def _fitting(self, manifest: Manifest, taken: float, on_disk: bool) -> Graph | None:
        fits = (g for g in manifest.passes if needed(manifest, g, taken, on_disk) <= self.most)
        return next(fits, None)

    def choose(self, manifest: Manifest, taken: float) -> Graph:
        """Return the largest pass that fits.

        Args:
            manifest: of the exported model.
            taken: MiB that the process takes before it holds a state.

        Raises:
            ConfigError: not even the smallest fits; says what it would take.
        """
        if not self.most:
            return manifest.passes[0]
        on_disk = self.on_disk(manifest, taken)
        found = self._fitting(manifest, taken, on_disk)
        if found is not None:
            return found
        least = needed(manifest, manifest.passes[-1], taken, on_disk)
        raise ConfigError(
            f"expected a memory budget of {least:.0f} MiB or more for this model with "
            f"{manifest.passes[-1].points} points at once, got {self.most:.0f}: export it with "
            "fewer points or examples a pass (--points, --batch)"
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
        on_disk = self.on_disk(manifest, taken)
        least = needed_to_move(manifest, manifest.open, kind, taken, on_disk)
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


def needed_to_move(
    manifest: Manifest, graph: Graph, kind: str, taken: float, on_disk: bool
) -> float:
    """Return the MiB that a round through the graph that takes weights is expected to take.

    Its session holds no weights; a perturbed copy does, or several of a small model, and drawing
    takes its part.
    """
    weights, largest = _weights(manifest)
    several = 4 * AT_ONCE / MIB  # copies of a small model are drawn together
    each, tables = DRAWING.get(kind, max(DRAWING.values()))
    drawing = each * max(largest, several) / 4 + tables
    moved = max(weights, several) + drawing + HELD * graph.activations / MIB
    return _round(manifest, taken, max(moved, _session(manifest, manifest.plain)), on_disk)


def needed(manifest: Manifest, graph: Graph, taken: float, on_disk: bool) -> float:
    """Return the MiB that a round with this pass is expected to take at its peak.

    Args:
        manifest: of the exported model.
        graph: the pass.
        taken: MiB that the process takes before it holds a state.
        on_disk: whether the state lies on disk; else it is taken for the largest kind.
    """
    probing = max(_session(manifest, graph), _session(manifest, manifest.plain))
    return _round(manifest, taken, probing, on_disk)


def _round(manifest: Manifest, taken: float, probing: float, on_disk: bool) -> float:
    """Return the MiB of a round, whose probes and whose update come one after the other."""
    weights, largest = _weights(manifest)
    if on_disk:
        updating = UPDATING * min(weights, max(largest, 4 * PART / MIB))
    else:
        probing, updating = STATE * weights + probing, ADVANCING * weights
    return taken + SESSION + max(probing, updating)


def _session(manifest: Manifest, graph: Graph) -> float:
    constants = (manifest.constants.size - manifest.constants.begin) / MIB
    return RUNTIME * _weights(manifest)[0] + constants + HELD * graph.activations / MIB


def _weights(manifest: Manifest) -> tuple[float, float]:
    """Return the MiB of all trained tensors, and of the largest."""
    sizes = [4 * tensor.size / MIB for _, tensor in manifest.signature.trained]
    return sum(sizes), max(sizes)


def kept(budget: Budget, peak: Callable[[], float]) -> str:
    """Return a line on what was taken."""
    found = peak()
    bound = f" of {budget.most:.0f}" if budget.most else ""
    over = ", MORE THAN ALLOWED" if budget.most and found > budget.most else ""
    return f"peak memory {found:.0f}{bound} MiB{over}"
