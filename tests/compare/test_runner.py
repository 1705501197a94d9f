"""Cells are given out to processes and stored as they end; what fails takes nothing with it."""

import sys
from pathlib import Path

import pytest

from baffle.drivers.compare.cells import pending
from baffle.drivers.compare.pool import Pool
from baffle.drivers.compare.runner import work_off
from baffle.drivers.compare.store import Store, read_lines
from baffle.report.compared import compared
from tests.compare.made import carried_out, comparison

WORKER = Path(__file__).with_name("worker.py")


def run(folder, mode, jobs=2, watch=lambda course, said: None):
    command = [sys.executable, str(WORKER), mode]
    with Store(folder, comparison()) as store, Pool(command, jobs, folder / "scratch") as pool:
        return work_off(store, comparison(), pool, watch)


def test_all_cells_are_worked_off_whatever_the_order(tmp_path):
    heard = []
    course = run(tmp_path, "well", watch=lambda course, said: heard.append(said))
    assert (course.failures, course.done, course.total) == ({}, 14, 14)
    assert read_lines(tmp_path) == carried_out(comparison())[0]
    assert heard[0] is None
    assert not (tmp_path / "scratch").exists()
    assert sum(said.ended for said in heard[1:]) == 14
    assert sum(not said.ended for said in heard[1:]) == 14
    again = run(tmp_path, "die")  # nothing is left to run
    assert (again.failures, again.done) == ({}, 14)


@pytest.mark.parametrize(("mode", "why"), [("die", "out of memory"), ("refuse", "no such data")])
def test_a_contender_that_fails_leaves_the_others_alone(tmp_path, mode, why):
    course = run(tmp_path, mode)
    assert list(course.failures) == ["baffle-paper"]
    assert why in course.failures["baffle-paper"]
    assert {line["contender"] for line in read_lines(tmp_path).values()} == {"baffle"}
    assert len(read_lines(tmp_path)) == course.total == 7


def test_memory_that_cannot_be_measured_costs_a_contender_that_figure_only(tmp_path):
    heard = []
    course = run(tmp_path, "no memory", watch=lambda course, said: heard.append(said))
    assert (course.failures, list(course.unmeasured)) == ({}, ["baffle-paper"])
    assert (course.done, course.total) == (13, 13)
    assert sum(said.error == "too small" for said in heard[1:]) == 1  # not tried over and over
    found = compared(comparison(), read_lines(tmp_path), tmp_path, course.failures)
    entry = next(e for e in found.entries if e.name == "baffle-paper")
    assert (entry.note, entry.peak, len(entry.keys)) == ("", None, 2)
    assert found.complete


def test_a_worker_that_died_while_it_was_idle_is_replaced(tmp_path):
    with Pool([sys.executable, str(WORKER), "well"], 1, tmp_path / "scratch") as pool:
        first, second = pending(comparison(), {})[:2]
        lost = answered(pool, first)
        lost.kill()
        lost.wait()
        assert answered(pool, second).pid != lost.pid
        assert pool.free == 1


def answered(pool, cell):
    """Have a cell worked off; returns the process that did it."""
    pool.submit(cell)
    (worker,) = pool._workers
    said = []
    while not (said and said[-1].ended):
        said += pool.listen(5)
    assert said[-1].line
    assert said[-1].cell is cell
    return worker.process


def test_no_worker_outlives_the_pool(tmp_path):
    pools = []

    def stop(course, said):
        pools.append([worker.process for worker in pool._workers])
        if said is not None:
            raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        Store(tmp_path, comparison()) as store,
        Pool([sys.executable, str(WORKER), "well"], 2, tmp_path / "scratch") as pool,
    ):
        work_off(store, comparison(), pool, stop)
    assert [process.returncode for process in pools[-1]] == [-9, -9]
