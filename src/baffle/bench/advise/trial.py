"""One process that measures one way to take part: `python -m baffle.bench.advise.trial`.

It takes JSON objects, a line each, and writes one for each. Seconds are of the processor where one
thread computes, so that other work on the machine counts little; else they are the clock's.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from baffle.bench.advise.given import Given, Named, make
from baffle.drivers.resident import peak_mib
from baffle.errors import BaffleError, ConfigError

PROBES, PROBES_LOW = "baffle", "baffle-low-memory"
TRAINING, CHECKPOINTED = "fedavg", "fedavg-checkpointed"
INFERENCE = "inference"
WAYS = (INFERENCE, PROBES, PROBES_LOW, TRAINING, CHECKPOINTED)
FEW = {PROBES: 8, PROBES_LOW: 8}  # directions of a first measurement; one step or pass of others
MOST_CHECKED = 64  # directions of it, where the weights are small
LEAST = 2  # rounds that are timed
Point = tuple[float, float, float]
STATUS = Path("/proc/self/status")


class Rounds(Protocol):
    """Something that does rounds."""

    up: int
    down: int
    probes: float
    probing: float

    def round(self, clock: Callable[[], float]) -> None:
        """Do one."""
        ...


@dataclass(frozen=True)
class Trial:
    """What to measure.

    Args:
        named: model and examples.
        way: one of WAYS.
        batch: B, examples of a step or a probe.
        units: most directions of a round, or steps; 0 for as many as the time allows.
        seconds: to spend on rounds that are timed, about; two are in any case.
        threads: torch's.
        clients: reports a round.
        exact: do rounds of exactly `units`, and tell what one takes.
        candidates: examples among which a probing client picks B; 0 for B that are drawn.
    """

    named: Named
    way: str
    batch: int
    units: int = 0
    seconds: float = 1.0
    threads: int = 1
    clients: int = 1
    exact: bool = False
    candidates: int = 0

    @property
    def examples(self) -> int:
        """How many the client has."""
        return max(self.batch, self.candidates)


def measure(trial: Trial) -> dict[str, Any]:
    """Do it in this process, and return what came of it.

    Returns:
        "dimension"; "points": [[units, seconds a round, of these not probing], …], see `_point`;
        "runtime_mib" before the model was made; "peak_mib" of the whole process; "up", "down":
        bytes of the last round; "parts": of a checkpointed step, which cannot be done if 0.
    """
    import torch

    torch.set_num_threads(trial.threads)
    load(trial.way)
    runtime = resident_mib()
    return measured(trial, make(trial.named, trial.examples), runtime)


def measured(trial: Trial, given: Given, runtime: float) -> dict[str, Any]:
    """Return the same of a module and examples that are there already."""
    if trial.way != CHECKPOINTED:
        return _figures(trial, given, runtime, None, _timed(trial, given))
    from baffle.models.checkpointing import Checkpointed

    twice = Checkpointed(given.module)
    parts = len(twice.pieces)
    with twice.on():
        return _figures(trial, given, runtime, parts, _timed(trial, given) if parts else None)


def _figures(
    trial: Trial,
    given: Given,
    runtime: float,
    parts: int | None,
    timed: tuple[list[Point], Rounds] | None,
) -> dict[str, Any]:
    points, last = timed or ([], None)
    return {
        "way": trial.way,
        "trained": trial.named.trained,
        "batch": trial.batch,
        "dimension": given.dimension,
        "points": points,
        "runtime_mib": runtime,
        "peak_mib": peak_mib(),
        "up": last.up if last else 0,
        "down": last.down if last else 0,
        "parts": parts,
    }


def load(way: str) -> None:
    """Import what the way needs and use torch once, so that both count as the runtime's memory."""
    import torch

    if way in (PROBES, PROBES_LOW):
        import baffle.bench.advise.rounds
    if way == CHECKPOINTED:
        import baffle.models.checkpointing  # noqa: F401
    tiny = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.Flatten(), torch.nn.Linear(1, 1))
    learns = way in (TRAINING, CHECKPOINTED)
    with torch.set_grad_enabled(learns):
        output = tiny(torch.zeros(1, 1, 1, 1))
    if learns:
        output.sum().backward()


def _timed(trial: Trial, given: Given) -> tuple[list[Point], Rounds]:
    """Time rounds of few units, and longer ones where there is time for them."""
    if trial.exact:
        point, rounds = _point(trial, given, trial.units)
        return [point], rounds
    few = _few(trial, given.dimension)
    first, rounds = _point(trial, given, few)
    fitting = int(few * trial.seconds / 3 / max(first[1], 1e-6))  # a warm-up and two that count
    most = min(fitting, trial.units or fitting)
    if most < 2 * few:
        return [first], rounds
    second, rounds = _point(trial, given, most)
    return [first, second], rounds


def _few(trial: Trial, dimension: int) -> int:
    """Return the units of a first measurement: one step, or as many directions as show the peak.

    The check of a route holds perturbed copies of the weights, up to DENSE_BYTES of them.
    """
    if trial.way != PROBES:
        return FEW.get(trial.way, 1)
    from baffle.backends.torch.chunking import DENSE_BYTES

    wanted = max(FEW[PROBES], min(MOST_CHECKED, DENSE_BYTES // (4 * dimension)))
    return min(wanted, trial.units or wanted)


def _point(trial: Trial, given: Given, units: int) -> tuple[Point, Rounds]:
    """Return units, seconds of a round and of its part that is no probing; the median of some.

    Units are probes of B examples, or steps. A first round warms up, and chooses the route.
    """
    rounds, clock = _rounds(trial, given, units), _clock(trial.threads)
    rounds.round(clock)
    taken: list[tuple[float, float]] = []
    while len(taken) < LEAST or sum(whole for whole, _ in taken) < trial.seconds / 3:
        started = clock()
        rounds.round(clock)
        whole = clock() - started
        taken.append((whole, whole - rounds.probing if rounds.probes else 0.0))
    whole, rest = (statistics.median(column) for column in zip(*taken, strict=True))
    return (rounds.probes or units, whole, rest), rounds


def _clock(threads: int) -> Callable[[], float]:
    return time.process_time if threads == 1 else time.perf_counter


def _rounds(trial: Trial, given: Given, units: int) -> Rounds:
    """Return what does rounds; only what the way needs is imported."""
    from baffle.bench.advise.steps import InferenceRounds, TrainingRounds

    if trial.way == INFERENCE:
        return InferenceRounds(given, units)
    if trial.way in (TRAINING, CHECKPOINTED):
        return TrainingRounds(given, units)
    if trial.way not in WAYS:
        raise ConfigError(f"expected a way among {', '.join(WAYS)}, got {trial.way!r}")
    from baffle.bench.advise.rounds import ProbeRounds

    low = trial.way == PROBES_LOW
    return ProbeRounds(given, units, low, trial.threads, trial.clients, trial.batch)


def resident_mib() -> float:
    """Return this process's resident memory now; its peak so far where the system says no more."""
    if not STATUS.exists():
        return peak_mib()
    (line,) = (x for x in STATUS.read_text().splitlines() if x.startswith("VmRSS:"))
    return int(line.split()[1]) / 2**10


def words(trial: Trial) -> dict[str, Any]:
    """Return a trial in plain values; without candidates where none are picked."""
    found = asdict(trial)
    return found if trial.candidates else {k: v for k, v in found.items() if k != "candidates"}


def as_json(trial: Trial) -> str:
    """Return a trial as the process takes it."""
    return json.dumps(words(trial))


def of_json(text: str) -> Trial:
    """Return the trial again."""
    value = json.loads(text)
    named = value.pop("named")
    shape = named.pop("in_shape")
    return Trial(Named(**named, in_shape=tuple(shape) if shape else None), **value)


def answer(text: str, parent: float = 0.0) -> str:
    """Return what came of a trial, or of the attempt, as JSON.

    Args:
        text: the trial.
        parent: MiB that the process held which this one is a copy of. A copy begins with less,
            since pages of libraries come back to it only as it touches them; a fresh process has
            them all, so what is missing is added.
    """
    missing = max(0.0, parent - resident_mib())
    try:
        found = measure(of_json(text))
        for name in ("runtime_mib", "peak_mib"):
            found[name] += missing
        return json.dumps(found)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f" ({Path(last.filename).name}, line {last.lineno})"
        known = isinstance(error, BaffleError)
        return json.dumps(
            {"error": f"{error}" if known else f"{type(error).__name__}: {error}{place}"}
        )


def main() -> None:
    """Read trials, a line each, and measure each in a copy of this process that nobody has used.

    torch is imported once, which is most of what a trial takes. Nothing is computed before it,
    since torch's threads do not live on in a copy.
    """
    import baffle.bench.advise.steps  # noqa: F401

    for line in sys.stdin:
        sys.stdout.flush()
        held, child = resident_mib(), os.fork()
        if child == 0:
            sys.stdout.write(answer(line, held) + "\n")
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            sys.stdout.write(json.dumps({"error": f"the process ended with {status}"}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
