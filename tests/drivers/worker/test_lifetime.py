"""When a worker begins and when it ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from baffle.drivers.worker.call import stop
from baffle.drivers.worker.processes import identity
from baffle.errors import WorkerError
from tests.drivers.worker.conftest import HANDLERS, PATHS, processes_of, wait_until


def together(*tasks):
    """Run functions at the same time; their results, or what they raised."""
    results = [None] * len(tasks)
    barrier = threading.Barrier(len(tasks))

    def run(number, task):
        barrier.wait()
        try:
            results[number] = task()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_callers_that_race_start_one_worker(folder, tmp_path):
    options = {"starts": str(tmp_path / "starts"), "slow": 0.1}
    pids = together(*[lambda: folder.pid(factory="mark", options=options)] * 4)
    assert len(set(pids)) == 1
    assert (tmp_path / "starts").read_text() == f"{pids[0]}\n"


def caller(folder, options):
    """A process that calls once and prints the worker's process id."""
    name = f"{HANDLERS}:mark"
    code = f"""if True:
        from pathlib import Path
        from baffle.drivers.worker.call import call
        path, options, paths = Path({str(folder.path)!r}), {options!r}, {PATHS!r}
        found = call(path, {name!r}, options, [b"pid"], patience=20, watch_pid=None, paths=paths)
        print(found.decode(), end="")
    """
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)


def test_processes_that_race_start_one_worker(folder, tmp_path):
    options = {"starts": str(tmp_path / "starts"), "slow": 0.3}
    callers = [caller(folder, options) for _ in range(3)]
    pids = [int(process.communicate(timeout=20)[0]) for process in callers]
    folder.pids.update(pids)
    assert len(set(pids)) == 1
    assert (tmp_path / "starts").read_text() == f"{pids[0]}\n"


def test_a_start_outlives_its_caller_and_is_used_by_the_next(folder, tmp_path):
    options = {"starts": str(tmp_path / "starts"), "slow": 0.6}
    with caller(folder, options) as first:
        assert wait_until((folder.path / "worker.json").exists)
        first.kill()
    pid = folder.pid(factory="mark", options=options)
    assert (tmp_path / "starts").read_text() == f"{pid}\n"


def test_callers_that_want_different_workers_are_all_answered(folder):
    def asking(number):
        return lambda: folder.ask(b"options", options={"n": number % 2})

    answers = together(*[asking(number) for number in range(4)])
    assert answers == [b"{'n': 0}", b"{'n': 1}"] * 2
    assert len(processes_of(folder.path)) == 1


def test_a_second_caller_waits_for_the_first(folder):
    folder.pid()
    begun = time.monotonic()
    answers = together(*[lambda: folder.ask(b"sleep", b"0.3")] * 3)
    assert answers == [b"slept"] * 3
    assert 0.9 <= time.monotonic() - begun < 5
    assert folder.ask(b"count") == b"5"


def test_an_idle_worker_ends_and_leaves_no_socket(folder):
    pid = folder.pid(idle_s=0.2)
    assert wait_until(lambda: identity(pid) is None)
    left = {path.name for path in folder.path.iterdir()}
    assert left == {"worker.log", "worker.lock", "start.lock"}
    assert "the worker ends: no request in 0.2 s" in (folder.path / "worker.log").read_text()
    assert folder.pid(idle_s=0.2) != pid


def test_requests_put_off_the_idle_end(folder):
    pid = folder.pid(idle_s=0.4)
    for _ in range(6):
        time.sleep(0.1)
        assert folder.pid(idle_s=0.4) == pid


@pytest.fixture
def someone():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_worker_ends_after_the_process_that_it_serves(folder, someone):
    pid = folder.pid(watch_pid=someone.pid)
    time.sleep(0.6)
    assert identity(pid)
    someone.kill()  # not waited for: a zombie has ended
    assert wait_until(lambda: identity(pid) is None)
    assert f"process {someone.pid}, which it served" in (folder.path / "worker.log").read_text()


def test_a_process_that_has_ended_before_cannot_be_served(folder, someone):
    someone.kill()
    someone.wait()
    with pytest.raises(WorkerError, match=f"process {someone.pid}, which it served, has ended"):
        folder.pid(watch_pid=someone.pid)
    assert wait_until(lambda: not processes_of(folder.path))


def test_a_later_caller_has_another_process_watched(folder, someone):
    pid = folder.pid(watch_pid=someone.pid)
    assert folder.pid(watch_pid=os.getpid()) == pid
    someone.kill()
    time.sleep(0.8)
    assert folder.pid(watch_pid=os.getpid()) == pid


def test_the_answer_is_finished_when_the_watched_process_ends_midway(folder, someone):
    pid = folder.pid(watch_pid=someone.pid)
    threading.Timer(0.1, someone.kill).start()
    assert folder.ask(b"sleep", b"0.9", watch_pid=someone.pid) == b"slept"
    assert wait_until(lambda: identity(pid) is None)


def test_sigterm_ends_it_cleanly_after_the_answer_in_hand(folder):
    pid = folder.pid()
    threading.Timer(0.1, os.kill, (pid, signal.SIGTERM)).start()
    assert folder.ask(b"sleep", b"0.4") == b"slept"
    assert wait_until(lambda: identity(pid) is None)
    assert not (folder.path / "worker.json").exists()
    assert not list(folder.path.glob("*.sock"))
    assert "the worker ends: told to by a signal" in (folder.path / "worker.log").read_text()


def test_a_second_sigterm_does_not_wait_for_the_answer(folder):
    pid = folder.pid()
    asking = threading.Thread(target=together, args=(lambda: folder.ask(b"sleep", b"20"),))
    asking.start()
    for _ in range(2):
        time.sleep(0.1)
        os.kill(pid, signal.SIGTERM)
    assert wait_until(lambda: identity(pid) is None, 2)
    stop_both(folder, asking)


def stop_both(folder, asking):
    """The caller saw its worker end and asks another one; end that as well."""
    while asking.is_alive():
        stop(folder.path, patience=0.2)
        asking.join(0.05)


def test_stop_kills_what_does_not_end(folder):
    pid = folder.pid()
    asking = threading.Thread(target=together, args=(lambda: folder.ask(b"sleep", b"20"),))
    asking.start()
    time.sleep(0.1)
    stop(folder.path, patience=0.2)
    assert identity(pid) is None
    stop_both(folder, asking)


def test_a_worker_is_nobodys_zombie(folder):
    pid = folder.pid()
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: identity(pid) is None)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_a_start_that_takes_longer_than_one_caller_waits(folder, tmp_path):
    options = {"starts": str(tmp_path / "starts"), "slow": 1.0}
    with pytest.raises(WorkerError, match=r"is not ready after 0\.[0-9]+ s; it goes on starting"):
        folder.ask(b"pid", factory="mark", options=options, patience=0.4)
    pid = folder.pid(factory="mark", options=options)
    assert (tmp_path / "starts").read_text() == f"{pid}\n"


def test_a_start_that_takes_too_long_ends_itself(folder, tmp_path):
    options = {"starts": str(tmp_path / "starts"), "slow": 20}
    with pytest.raises(WorkerError, match="ended twice before it had answered") as caught:
        folder.ask(b"pid", factory="mark", options=options, start_s=0.3)
    assert "in mark" in str(caught.value)  # where it hung
    assert not processes_of(folder.path)


def test_a_folder_whose_path_is_too_long_for_a_socket(folder):
    folder.path = folder.path / ("long" * 20) / ("longer" * 20)
    pid = folder.pid()
    assert folder.pid() == pid
    (address,) = _addresses(folder.path)
    outside = Path(address)
    assert len(os.fsencode(outside)) <= 100
    assert stat.S_IMODE(outside.parent.stat().st_mode) == 0o700
    os.kill(pid, signal.SIGKILL)
    assert folder.pid() != pid
    assert not outside.parent.exists()
    (second,) = _addresses(folder.path)
    stop(folder.path)
    assert not Path(second).parent.exists()


def _addresses(path):
    from baffle.drivers.worker.place import Place
    from baffle.drivers.worker.state import read_state

    return [read_state(Place(path)).address]


def test_a_path_made_short_by_no_means(folder, tmp_path, monkeypatch):
    from baffle.errors import ConfigError

    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    folder.path = long / "worker"
    with pytest.raises(ConfigError, match="set TMPDIR to a short one"):
        folder.pid()
    assert [path.name for path in long.iterdir()] == ["worker"]
