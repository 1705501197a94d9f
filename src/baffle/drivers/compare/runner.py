"""Work off a comparison: give out what can run, store what comes, until nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from baffle.drivers.compare.cells import Cell, pending, total_cells
from baffle.drivers.compare.pool import Pool, Said
from baffle.drivers.compare.spec import Comparison
from baffle.drivers.compare.store import Store

WAIT = 0.5  # seconds between looks where nobody says anything


@dataclass
class Course:
    """How a comparison goes on.

    Args:
        failures: why contenders fell out, by name.
        unmeasured: why their memory is not known, by name; their other figures are.
        done, total: cells; how many there will be becomes known on the way.
        running: cells in progress, with the last that was heard of each.
    """

    failures: dict[str, str] = field(default_factory=dict)
    unmeasured: dict[str, str] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    running: dict[str, Mapping[str, Any]] = field(default_factory=dict)


Watch = Callable[[Course, Said | None], None]


def work_off(
    store: Store, comparison: Comparison, pool: Pool, watch: Watch = lambda course, said: None
) -> Course:
    """Run every missing cell and store its line.

    Args:
        store: open; its lines are what is known so far.
        comparison: what is asked.
        pool: workers.
        watch: told of each thing that is heard, and first of how things stand.

    Returns:
        How it ended. A contender one of whose cells failed gets no further ones; a failed
        measurement of memory, where memory is not held equal, costs it that figure alone.
    """
    course = Course()
    _count(course, store, comparison)
    watch(course, None)
    while _give_out(course, store, comparison, pool):
        for said in pool.listen(WAIT):
            _take(course, store, comparison, said)
            _count(course, store, comparison)
            watch(course, said)
    return course


def _give_out(course: Course, store: Store, comparison: Comparison, pool: Pool) -> bool:
    """Fill the free workers; returns whether anything is running."""
    if pool.free:
        taken = {cell.id for cell in pool.running}
        waiting = [c for c in pending(comparison, store.lines) if _may_run(c, taken, course)]
        for cell in waiting[: pool.free]:
            pool.submit(cell)
            course.running[cell.id] = {}
    return bool(pool.running)


def _may_run(cell: Cell, taken: set[str], course: Course) -> bool:
    given_up = cell.kind == "memory" and cell.contender in course.unmeasured
    return cell.id not in taken and cell.contender not in course.failures and not given_up


def _take(course: Course, store: Store, comparison: Comparison, said: Said) -> None:
    if said.progress is not None:
        course.running[said.cell.id] = said.progress
        return
    course.running.pop(said.cell.id, None)
    if said.line is None:
        # Without its memory a contender is still compared, unless memory is what is held equal.
        beside = said.cell.kind == "memory" and comparison.equal != "memory"
        lost = course.unmeasured if beside else course.failures
        lost.setdefault(said.cell.contender, said.error or "no result")
        return
    head = {"cell": said.cell.id, "kind": said.cell.kind, "contender": said.cell.contender}
    store.add(head | dict(said.cell.about) | dict(said.line))


def _count(course: Course, store: Store, comparison: Comparison) -> None:
    course.done = len(store.lines)
    total = total_cells(comparison, store.lines, list(course.failures))
    course.total = total - len(course.unmeasured.keys() - course.failures.keys())
