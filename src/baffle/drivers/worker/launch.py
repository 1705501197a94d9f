"""Starting and ending the worker of a folder. Whoever does so holds the folder's start lock."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from baffle.drivers.worker import log
from baffle.drivers.worker.locks import POLL_S, FileLock, is_held
from baffle.drivers.worker.orders import Orders
from baffle.drivers.worker.place import Place
from baffle.drivers.worker.processes import END_S, end
from baffle.drivers.worker.replies import Ended, decode_error
from baffle.drivers.worker.state import State, read_state
from baffle.errors import WorkerError

KILL_S = 5.0  # for the kernel to take a killed process away
_MAIN = Path(__file__).with_name("__main__.py")
_kept: list[subprocess.Popen[bytes]] = []  # where a process cannot leave its parent


@contextlib.contextmanager
def start_lock(place: Place, patience: float) -> Iterator[None]:
    """Keep others from starting or ending a worker; raises WorkerError after `patience` seconds."""
    lock = FileLock(place.start_lock)
    if not lock.take(patience):
        raise WorkerError(
            f"another process has been starting or ending the worker in {place.folder} "
            f"for {patience:.3g} s"
        )
    try:
        yield
    finally:
        lock.release()


def start(place: Place, orders: Orders, deadline: float) -> None:
    """See to it that a worker with these orders is ready; the start lock is held.

    One that is just starting with the same orders, because its caller has ended, is waited for.

    Args:
        place: the worker's place.
        orders: what it is to run.
        deadline: until when to wait, by `time.monotonic`.

    Raises:
        BaffleError: it could not start, with its own message and the end of its log.
        Ended: it ended without a word.
        WorkerError: it is not ready by the deadline. It goes on starting.
    """
    state = read_state(place)
    alive = is_held(place.life_lock)
    same = state is not None and state.fingerprint == orders.fingerprint()
    if state is not None and alive and same and state.stage == "starting":
        _await(place, state.start, lambda: not is_held(place.life_lock), deadline)
        return
    end_worker(place)
    process = _spawn(place, orders)
    try:
        _await(place, orders.start, lambda: _has_ended(process, place), deadline)
    finally:
        _let_go(process)


def end_worker(place: Place, patience: float = END_S) -> None:
    """End the worker of a place, if there is one, and remove what it left; the lock is held.

    Args:
        place: the worker's place.
        patience: seconds that it has for the answer it is making, before it is killed.

    Raises:
        WorkerError: even killed it did not go.
    """
    begun = time.monotonic()
    asked = False
    while is_held(place.life_lock):
        waited = time.monotonic() - begun
        if waited > patience + KILL_S:
            raise WorkerError(f"the worker in {place.folder} does not end; is its disk hanging?")
        state = read_state(place)
        # Its state comes a moment after its lock, so there may be nobody to tell yet.
        if state is not None and (not asked or waited > patience):
            end(state.pid, state.process, at_once=waited > patience)
            asked = True
        time.sleep(POLL_S)
    left = read_state(place)
    place.clean_address(left.address if left else "")
    place.clean()


def _spawn(place: Place, orders: Orders) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-u", "-P", os.fspath(_MAIN), os.fspath(place.folder)]
    output = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=orders.cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerError(f"no worker process could be made in {orders.cwd}: {error}") from error
    finally:
        os.close(output)
    with contextlib.suppress(BrokenPipeError):  # it has ended, which shows a moment later
        assert process.stdin is not None
        with process.stdin:
            process.stdin.write(orders.to_json())
    return process


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Collect the first process, so that it is no zombie of ours; the worker itself never was."""
    if sys.platform == "win32":
        _kept.append(process)
    else:
        try:
            process.wait(KILL_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _has_ended(process: subprocess.Popen[bytes], place: Place) -> bool:
    """Whether a start has come to nothing. The first process ends once the worker has the lock."""
    if process.poll() is None:
        return False
    return not is_held(place.life_lock)


def _await(place: Place, name: str, ended: Callable[[], bool], deadline: float) -> None:
    """Wait for the start of this name to become ready."""
    begun = time.monotonic()
    while True:
        # In this order: what a worker wrote before it ended is seen after its end.
        over = ended()
        state = read_state(place)
        if state is not None and state.start == name and state.stage != "starting":
            break
        if over:
            raise Ended(f"the worker ended before it was ready{log.tail(place.log)}")
        if time.monotonic() > deadline:
            waited = time.monotonic() - begun
            raise WorkerError(
                f"the worker is not ready after {waited:.3g} s; it goes on starting, and the next "
                f"call waits for it{log.tail(place.log)}"
            )
        time.sleep(POLL_S)
    _raise_if_failed(place, state)


def _raise_if_failed(place: Place, state: State) -> None:
    if state.stage == "failed":
        raise decode_error(state.trouble.encode(), log.tail(place.log))
