"""Rows of `baffle bench device`: a device's round beside torch's ways, and its speed."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baffle.backends.onnx import ArrayExamples, Manifest, OnnxProbe
from baffle.backends.onnx.sessions import Sessions
from baffle.bench.device.server import serve
from baffle.bench.memory import MemoryOptions, in_process
from baffle.bench.modules import Subject, batch_of, module_of
from baffle.config import Settings, resolve
from baffle.directions import Place, Points
from baffle.directions.rank_one import RankOneKind
from baffle.drivers.export import export
from baffle.drivers.export.verify import arrays_by_name
from baffle.drivers.fleet.task import ServerTask
from baffle.errors import ConfigError

ROUNDS = 3  # the first from nothing, then with something to catch up with
EXAMPLES = 64
TORCH = ("ours_chunk_1", "backward", "checkpointed")
Say = Callable[[str], None]


@dataclass(frozen=True)
class DeviceOptions:
    """How to measure.

    Args:
        directions: K.
        batch: B of a client.
        pass_batch: examples of an exported pass, of which a client takes several; 0 for B.
        points: P of the exported passes; the largest that fits into `memory` is taken.
        memory: MiB that the client is told to keep to; 0 for no bound.
        lean: train with plain SGD and without an average, which hold no second copy of the weights.
        repeats: timings, of which the median counts.

    Raises:
        ConfigError: a number is out of range.
    """

    directions: int = 64
    batch: int = 8
    points: tuple[int, ...] = (8, 4, 2)
    memory: float = 0.0
    lean: bool = False
    repeats: int = 5
    pass_batch: int = 0

    def __post_init__(self) -> None:
        for name in ("directions", "batch", "repeats"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} must be at least 1, got {getattr(self, name)}")
        if self.pass_batch < 0:
            raise ConfigError(f"--pass-batch must be at least 0, got {self.pass_batch}")


def device(
    subjects: Sequence[Subject], options: DeviceOptions, say: Say = lambda text: None
) -> Iterator[dict[str, Any]]:
    """Yield one row a model.

    Returns:
        Rows as JSON: `peak_mib`, the peak resident memory of a fresh client process over whole
        rounds (catch-up, probes, report, update); `torch_peak_mib` by way: probes, a training
        step and a checkpointed one in fresh processes with torch; `ratio`, rows a second of
        probes over those of plain inference by the same runtime, in one process, in turn.

    Raises:
        ProcessFailed: a measuring process ended with an error.
    """
    for subject in subjects:
        with tempfile.TemporaryDirectory(prefix="baffle-device-") as parent:
            yield _row(subject, options, Path(parent), say)


def _row(subject: Subject, options: DeviceOptions, parent: Path, say: Say) -> dict[str, Any]:
    say(f"{subject.name}: exporting")
    module, folder = module_of(subject), parent / "model"
    examples = batch_of(subject, EXAMPLES)
    rows = options.pass_batch or options.batch
    found = export(module, subject.loss, examples, folder, options.points, rows)
    data = parent / "data"
    data.mkdir()
    arrays = arrays_by_name(examples, found.manifest)
    for name, array in arrays.items():
        np.save(data / f"{name}.npy", array)
    say(f"{subject.name}: {ROUNDS} rounds of a client")
    task = ServerTask(module, subject.loss, None)
    client = serve(_settings(options), task, folder, data, options.memory)
    say(f"{subject.name}: speed")
    speed = _speed(folder, ArrayExamples(arrays), client["points"], options)
    return {
        "model": subject.name,
        "weights": found.manifest.signature.dimension,
        "directions": options.directions,
        "batch": options.batch,
        "pass_batch": rows,
        "points": client["points"],
        "lean": options.lean,
        "peak_mib": client["peak_mib"],
        "before_mib": client["before_mib"],
        "torch_peak_mib": _with_torch(subject, options, say),
        **speed,
        "loaded": client["loaded"],
    }


def _settings(options: DeviceOptions) -> Settings:
    lean = {"optimiser": "sgd", "average": 0.0} if options.lean else {}
    return resolve(
        {
            "rounds": ROUNDS,
            "data": {"name": "own", "partition": "own", "partition_options": {}},
            "model": {"name": "own"},
            "federation": {"clients": 1, "participation": 1.0},
            "probe": {"num_directions": options.directions, "batch": options.batch},
            "update": {"step_size": 1e-3, **lean},
        }
    )


def _with_torch(subject: Subject, options: DeviceOptions, say: Say) -> dict[str, float]:
    found = {}
    given = MemoryOptions(options.directions, 1, 1)
    for way in TORCH:
        say(f"{subject.name}: torch, {way}")
        found[way] = float(in_process(way, subject.name, options.batch, given)["peak_mib"])
    return found


def _speed(
    folder: Path, examples: ArrayExamples, points: int, options: DeviceOptions
) -> dict[str, Any]:
    """Return seconds of K probes and of plain inference on as many rows, in turn."""
    manifest = Manifest.read(folder)
    sessions = Sessions(folder, manifest)
    probe = OnnxProbe(sessions, examples, points)
    weights = sessions.file.read()
    trained = len(manifest.signature.trained)
    directions = np.arange(options.directions, dtype=np.uint32)
    signs = np.ones(options.directions, dtype=np.int8)
    asked = Points(Place(0, 0), RankOneKind(), (-9,) * trained, directions, signs)
    numbers = np.arange(options.batch)
    rows = examples.batch(np.arange(manifest.plain.batch) % len(examples))
    runs = -(-options.directions * options.batch // manifest.plain.batch)

    def plain() -> None:
        for _ in range(runs):
            sessions.run(manifest.plain, rows)

    def probes() -> None:
        probe(weights, asked, numbers)

    times: dict[str, list[float]] = {"probes": [], "plain": []}
    for turn in range(options.repeats + 1):
        for name, run in (("probes", probes), ("plain", plain)):
            started = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - started)
    median = {name: statistics.median(each) for name, each in times.items()}
    return {
        "ratio": median["plain"] / median["probes"],
        "seconds": median,
        "spread": {name: max(each) - min(each) for name, each in times.items()},
    }
