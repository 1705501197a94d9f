"""The pieces of a comparison, and which of them can run now: a function of what is stored.

For each contender: a pilot of a few rounds (what a round costs), the tuning trials one after
another, a run a key, and one process whose memory is measured. Where the size of a round has to
change there is a second pilot. Where memory is held equal, pilot and memory come first, and are
repeated with less until the client fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from baffle.algorithms.tuning import for_length, trial_key
from baffle.config import Settings
from baffle.drivers.compare.budget import PILOT, rounds_for
from baffle.drivers.compare.sizes import SCALED, halvings, most_sizes, smaller
from baffle.drivers.compare.spec import Comparison, Contender
from baffle.drivers.compare.tuning import best_of, next_trial
from baffle.drivers.local.calibrate import tuning_of

PILOT_STEP = 1e-3
LEAST_TRIAL = 12  # rounds
Line = Mapping[str, Any]
Lines = Mapping[str, Line]  # by cell id


@dataclass(frozen=True)
class Cell:
    """One piece of work.

    Args:
        kind: pilot, trial, run or memory.
        contender: name.
        detail: what tells it from the contender's others of the kind.
        settings: complete, as JSON.
        about: what its line of results says beside.
    """

    kind: str
    contender: str
    detail: str
    settings: Mapping[str, Any]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Contender, kind and detail: unique within a comparison."""
        return " ".join(filter(None, (self.contender, self.kind, self.detail)))


@dataclass(frozen=True)
class Standing:
    """Where a contender stands.

    Args:
        comparison, contender: whose.
        lines: results of the contender by (kind, detail).
        attempt: which of its sizes is used: 0 as given, later ones in less memory.
    """

    comparison: Comparison
    contender: Contender
    lines: Lines
    attempt: int = 0

    def line(self, kind: str, detail: str) -> Line | None:
        """Return a cell's result."""
        return self.lines.get(" ".join(filter(None, (self.contender.name, kind, detail))))

    @property
    def pilot(self) -> Line | None:
        """The pilot's result."""
        return self.line("pilot", str(self.attempt or ""))

    @property
    def memory(self) -> Line | None:
        """The memory's result."""
        return self.line("memory", str(self.attempt or ""))

    @property
    def rounds(self) -> int:
        """Rounds that the budget allows."""
        assert self.pilot is not None
        return rounds_for(self.pilot["costs"], *self.comparison.measured_by)

    @property
    def trial_rounds(self) -> int:
        """Rounds of a tuning trial; a short run's are a larger share, or its loss tells nothing."""
        return min(self.rounds, max(LEAST_TRIAL, round(self.comparison.share * self.rounds)))

    @property
    def trials(self) -> list[Line]:
        """The trials' results, in the order they were made."""
        found: list[Line] = []
        while (line := self.line("trial", str(len(found)))) is not None:
            found.append(line)
        return found

    @property
    def losses(self) -> dict[float, float]:
        """Training loss by step size."""
        return {
            t["step_size"]: float("inf") if t["loss"] is None else t["loss"] for t in self.trials
        }

    @property
    def step_size(self) -> float | None:
        """The step size of the runs; None while trials are missing."""
        if not self.comparison.trials:
            return self._given_step
        if len(self.losses) < self.comparison.trials:
            return None
        return for_length(best_of(self.losses), self.trial_rounds, self.rounds)

    @property
    def _given_step(self) -> float:
        step = self.comparison.settings(self.contender, 0).update.step_size
        return self.start if isinstance(step, str) else step

    @property
    def start(self) -> float:
        """The step size of the first trial."""
        return tuning_of(self.comparison.settings(self.contender, 0).algorithm).start

    def settings(self, key: int, rounds: int, step: float, every: int) -> Settings:
        """Return the settings of a run of this contender."""
        engine = {"engine": self.pilot["engine"]} if self.pilot is not None else {}
        return self.comparison.settings(
            self.contender,
            key,
            smaller(self.comparison, self.contender, self.attempt),
            {"rounds": rounds, "update": {"step_size": step}},
            {"output": {"evaluate_every": every, "snapshot_every": 2**31}},
            engine,
        )

    def cell(self, kind: str, detail: str, settings: Settings, **about: Any) -> Cell:
        """Return a cell of this contender."""
        return Cell(kind, self.contender.name, detail, settings.model_dump(mode="json"), about)


def standing(comparison: Comparison, contender: Contender, lines: Lines) -> Standing:
    """Return where a contender stands, at the size that it takes.

    With equal memory that is the first size that fits; else that at which the budget is a run of
    as many rounds as the comparison wants, which the first pilot tells.
    """
    first = Standing(comparison, contender, lines)
    if comparison.equal == "memory":
        return _that_fits(first)
    if first.pilot is None or comparison.equal not in SCALED:
        return first
    settings = comparison.settings(contender, comparison.keys[0])
    return replace(
        first, attempt=halvings(settings.probe.batch, first.rounds, comparison.least_rounds)
    )


def _that_fits(at: Standing) -> Standing:
    most = most_sizes(at.comparison.settings(at.contender, at.comparison.keys[0]))
    while at.attempt < most - 1 and _too_large(at):
        at = replace(at, attempt=at.attempt + 1)
    return at


def _too_large(at: Standing) -> bool:
    return at.memory is not None and at.memory["peak"] > at.comparison.budget


def fits(at: Standing) -> bool | None:
    """Return whether the budget allows this contender to run at all, None while unknown."""
    if at.pilot is None:
        return None
    if at.comparison.equal == "memory":
        return None if at.memory is None else not _too_large(at)
    return at.rounds > 0


def pending(comparison: Comparison, lines: Lines) -> list[Cell]:
    """Return the cells that can run now, in the order in which they should.

    Args:
        comparison: what is asked.
        lines: results so far, by cell id.

    Returns:
        Pilots and trials first, then runs with keys outermost, so that a comparison that is not
        finished compares fairly, then memory.
    """
    found = [standing(comparison, c, lines) for c in comparison.contenders]
    early = [cell for at in found for cell in _preparing(at)]
    ready = [at for at in found if fits(at) and at.step_size is not None]
    runs = [_run(at, key) for key in comparison.keys for at in ready]
    late = [_memory(at) for at in found if at.pilot is not None and comparison.memory]
    return [cell for cell in (*early, *runs, *late) if cell.id not in lines]


def _preparing(at: Standing) -> Iterator[Cell]:
    if at.pilot is None:
        settings = at.settings(at.comparison.keys[0], PILOT, PILOT_STEP, 0)
        yield at.cell("pilot", str(at.attempt or ""), settings)
    elif fits(at) is None:
        yield _memory(at)
    elif fits(at):
        step = next_trial(at.losses, at.start, at.comparison.trials)
        if step is not None:
            yield _trial(at, step)


def _trial(at: Standing, step: float) -> Cell:
    key = trial_key(at.comparison.keys[0])
    settings = at.settings(key, at.trial_rounds, step, 0)
    return at.cell("trial", str(len(at.losses)), settings, step_size=step)


def _run(at: Standing, key: int) -> Cell:
    step, rounds = at.step_size, at.rounds
    assert step is not None
    every = max(1, rounds // at.comparison.points)
    return at.cell("run", f"key {key}", at.settings(key, rounds, step, every), key=key)


def _memory(at: Standing) -> Cell:
    settings = at.settings(at.comparison.keys[0], 2, PILOT_STEP, 0)
    return at.cell("memory", str(at.attempt or ""), settings)


def total_cells(comparison: Comparison, lines: Lines, failed: Sequence[str] = ()) -> int:
    """Return how many cells there will be, as far as it is known."""
    each = 1 + comparison.trials + len(comparison.keys) + comparison.memory
    total = 0
    for contender in comparison.contenders:
        at = standing(comparison, contender, lines)
        extra = at.attempt * 2 if comparison.equal == "memory" else at.attempt > 0
        if contender.name in failed:
            total += sum(line["contender"] == contender.name for line in lines.values())
        else:
            total += extra + (each if fits(at) is not False else 1 + comparison.memory)
    return total
