"""Examples a second through probes and the usual ways, over those of the best plain inference.

Every side of a row is searched for its best chunk and threads; then all are timed in turn, in an
order drawn anew for each repeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from baffle.backends.torch.memory import keep_freed_memory
from baffle.bench.modules import Subject
from baffle.bench.options import Options
from baffle.bench.rows import Measured, Result, row
from baffle.bench.search import Found, Search
from baffle.bench.sides import BASE, SIDES, Case, Probes, Setting, Side, case_of
from baffle.bench.timing import Timed, interleaved

OURS, OURS_SHARED = "ours", "ours_shared"
WHOLE = (BASE, OURS, OURS_SHARED)  # timed on all K·B rows; others on as many as time allows
LEAST = 3  # repeats
Say = Callable[[str], None]


def silent(text: str) -> None:
    """Say nothing."""


def throughput(
    cases: Sequence[tuple[Subject, int]], options: Options, say: Say = silent
) -> Iterator[dict[str, Any]]:
    """Yield one row a case.

    Args:
        cases: subjects, and examples a batch.
        options: how.
        say: told what is going on.

    Returns:
        Rows as JSON, see rows.py.
    """
    keep_freed_memory()  # plain inference has the benefit of it too
    for subject, examples in cases:
        say(f"{subject.name}, {examples} examples: building")
        case = case_of(
            subject,
            examples,
            options.directions,
            options.device,
            options.precision,
            options.compiled,
        )
        found = measured(case, options, say)
        setting = found.results[OURS].setting
        yield row(case, found) | {"losses": Probes(case).agreement(setting)}


def measured(case: Case, options: Options, say: Say = silent) -> Measured:
    """Search every side, then time all of them in turn, close seconds included."""
    found: dict[str, list[Found]] = {}
    timed: dict[tuple[str, Setting], Timed] = {}
    failed: dict[str, str] = {}
    taken: dict[Setting, str] = {}
    for name in SIDES:
        say(f"{case.title}: searching {name}")
        try:
            side = SIDES[name](case)
            found[name] = _searched(name, side, case, options, found)
            timed |= _timed(name, side, found[name], case, options)
            taken |= side.taken if isinstance(side, Probes) else {}
        except (RuntimeError, MemoryError) as error:  # a usual way need not work on each module
            if name in WHOLE:
                raise
            failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    say(f"{case.title}: timing")
    rates = interleaved(timed, case.device, options.repeats, _Enough(options.budget.row))
    results = {name: _better(name, timed, rates) for name in SIDES if name not in failed}
    return Measured(results, failed, taken[results[OURS].setting])


def _searched(
    name: str, side: Side, case: Case, options: Options, found: Mapping[str, list[Found]]
) -> list[Found]:
    if name == OURS_SHARED:  # the same call, so the same settings
        return found[OURS]
    search = Search(side, case.rows, case.device, options.budget.candidate)
    best = search.best(options.thread_counts)
    return best if name in WHOLE else best[:1]


def _timed(
    name: str, side: Side, found: list[Found], case: Case, options: Options
) -> dict[tuple[str, Setting], Timed]:
    budget, timed = options.budget, {}
    for setting, rate in ((f.setting, f.rate) for f in found):
        most = case.rows if name in WHOLE else min(case.rows, int(rate * budget.slow))
        work = side.work(setting, max(1, most))
        timed[name, setting] = Timed.of(work, setting.threads, work.rows / rate, budget.sample)
    return timed


def _better(
    name: str,
    timed: Mapping[tuple[str, Setting], Timed],
    rates: Mapping[tuple[str, Setting], list[float]],
) -> Result:
    """Return a side's setting of the highest median."""
    of_side = [Result(k[1], rates[k], t.work.rows) for k, t in timed.items() if k[0] == name]
    return max(of_side, key=lambda result: result.rate)


class _Enough:
    """Say whether to stop: after the least number of repeats, once the time is spent."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds

    def __call__(self, done: int) -> bool:
        return done >= LEAST and time.monotonic() > self.until
