"""The caller's side: bytes to the lasting worker of a folder, which is started if there is none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any, TypeVar

from baffle.drivers.worker.frames import Kind, Line, receive, send
from baffle.drivers.worker.locks import POLL_S
from baffle.drivers.worker.orders import Orders, make_orders, seconds
from baffle.drivers.worker.place import FAMILY, Place, make_place
from baffle.drivers.worker.processes import END_S, identity
from baffle.drivers.worker.replies import Ended, decode_error
from baffle.drivers.worker.state import State, read_state
from baffle.drivers.worker.terms import ERROR_LIMIT, encode_terms
from baffle.errors import ConfigError, WorkerError

__all__ = ["call", "stop"]

IDLE_S = 900.0
START_S = 600.0
HELLO_S = 5.0  # a worker greets in a thread of its own, also while it answers somebody else
LIMIT = 4 << 30
T = TypeVar("T")


def call(
    folder: Path,
    reference: str,
    options: Mapping[str, Any],
    parts: Sequence[bytes],
    *,
    patience: float,
    watch_pid: int | None,
    idle_s: float = IDLE_S,
    start_s: float = START_S,
    hello_s: float = HELLO_S,
    limit: int = LIMIT,
    paths: Sequence[str] | None = None,
    cwd: str | None = None,
) -> bytes:
    """Have a request answered by the worker of a folder.

    A worker that is missing, dead, silent or runs something else is replaced first. One that ends
    before it has answered is replaced and asked once more, so an answer must be a function of the
    request and of what the handler keeps on disk.

    Args:
        folder: the worker's own folder; made if need be, and closed to other users.
        reference: "module:qualname" of a factory; called once with `options`, it returns the
            handler, which takes a list of bytes and returns bytes.
        options: JSON values; other options mean another worker.
        parts: the request.
        patience: seconds for everything, start and waiting for other callers included.
        watch_pid: the worker ends when this process has ended; None for no such process.
        idle_s: seconds without a request after which a worker started now ends.
        start_s: seconds that import and factory of a worker started now may take.
        hello_s: seconds without a greeting after which a worker counts as hanging and is killed;
            a caller with less patience than that kills none.
        limit: the most bytes of a request and of an answer.
        paths: the worker's import paths; by default those of this process.
        cwd: the worker's working folder; by default that of this process.

    Returns:
        What the handler returned.

    Raises:
        BaffleError: of the class that factory or handler raised, with its message.
        WorkerError: any other error in the worker, or no answer in time.
        ConfigError: a bad reference, options, folder, limit or time.
    """
    deadline = time.monotonic() + seconds("patience", patience)
    times = {"idle_s": idle_s, "start_s": start_s}
    orders = make_orders(
        reference, options, **times, limit=limit, watch_pid=watch_pid, paths=paths, cwd=cwd
    )
    size = sum(len(part) for part in parts)
    if size > limit:
        raise ConfigError(f"a request to a worker has at most {limit} bytes, got {size}")
    place = make_place(folder)
    endings = 0
    while True:
        try:
            line = _connect(place, orders, hello_s, deadline)
            answer = _ask(line, orders, parts, deadline)
        except Ended as error:
            endings += 1
            if endings > 1:
                raise _ended_twice(place) from error
            continue
        if answer is not None:
            return answer
        time.sleep(POLL_S)  # it is just ending


def _ended_twice(place: Place) -> WorkerError:
    from baffle.drivers.worker import log

    return WorkerError(
        f"the worker in {place.folder} ended twice before it had answered{log.tail(place.log)}"
    )


def stop(folder: Path, *, patience: float = END_S) -> None:
    """End the worker of a folder, if there is one.

    Args:
        folder: its folder.
        patience: seconds for the answer that it is making, then it is killed; and those (with
            5 more) for others that are just starting or ending it.

    Raises:
        WorkerError: somebody is just starting it and does not finish, or it does not end.
    """
    if not folder.exists():
        return
    from baffle.drivers.worker.launch import end_worker, start_lock

    place = make_place(folder)
    with start_lock(place, patience + END_S):
        end_worker(place, patience)


def _connect(place: Place, orders: Orders, hello_s: float, deadline: float) -> Line:
    """A line to a worker with these orders; starts it if need be."""
    with suppress(TimeoutError):
        line = _greet(place, orders, hello_s, deadline)
        if line is not None:
            return line
    # A caller that finds its worker, as nearly all do, has no use for these and what they import.
    from baffle.drivers.worker import log
    from baffle.drivers.worker.launch import end_worker, start, start_lock

    with start_lock(place, deadline - time.monotonic()):
        try:
            line = _greet(place, orders, hello_s, deadline)  # started meanwhile by another caller?
        except TimeoutError:
            end_worker(place, patience=0)
            line = None
        if line is not None:
            return line
        start(place, orders, deadline)
        line = _greet(place, orders, hello_s, deadline)
    if line is None:
        raise Ended(f"the worker ended as soon as it was ready{log.tail(place.log)}")
    return line


def _greet(place: Place, orders: Orders, hello_s: float, deadline: float) -> Line | None:
    """A line to the worker that is there, or None; raises TimeoutError if it hangs."""
    state = read_state(place)
    if state is None or state.stage != "ready" or state.fingerprint != orders.fingerprint():
        return None
    # A killed worker's child may still have a share of its socket, where nobody would greet.
    if identity(state.pid) != state.process:
        return None
    left = deadline - time.monotonic()
    try:
        return _within(min(hello_s, max(left, 0)), lambda: _open(place, state))
    except TimeoutError as error:
        if hello_s < left:
            raise
        raise WorkerError(f"the worker in {place.folder} did not greet in {left:.3g} s") from error
    # AssertionError: Python 3.11's handshake asserts what the other side sends.
    except (OSError, EOFError, AuthenticationError, AssertionError):
        return None


def _open(place: Place, state: State) -> Line:
    key = place.key.read_bytes()
    line = Client(state.address, FAMILY)
    try:
        deliver_challenge(line, key)
        answer_challenge(line, key)
    except BaseException:
        line.close()
        raise
    return line


def _ask(line: Line, orders: Orders, parts: Sequence[bytes], deadline: float) -> bytes | None:
    """The answer, or None if another worker has to be asked; raises Ended if this one ended."""
    patience = max(deadline - time.monotonic(), 0.001)
    terms = encode_terms(orders.fingerprint(), patience, orders.watch_pid)
    late = WorkerError(f"the worker did not answer in {patience:.3g} s; a hanging one ends itself")

    def exchange() -> tuple[Kind, list[bytes]] | None:
        with closing(line):
            send(line, Kind.ASK, [terms, *parts], orders.limit + ERROR_LIMIT)
            if not line.poll(max(deadline - time.monotonic(), 0)):
                return None
            return receive(line, max(orders.limit, ERROR_LIMIT))

    try:
        reply = _within(patience + 0.5, exchange)
    except TimeoutError:
        raise late from None
    except (OSError, EOFError) as error:
        raise Ended("the worker ended before it had answered") from error
    if reply is None:
        raise late
    kind, answer = reply
    if kind is Kind.OTHER:
        return None
    if len(answer) != 1 or kind is Kind.ASK:
        raise WorkerError(f"the worker sent {kind.name} of {len(answer)} parts instead of one")
    if kind is Kind.ERROR:
        raise decode_error(answer[0])
    return answer[0]


def _within(seconds: float, function: Callable[[], T]) -> T:
    """The function's result; raises TimeoutError if it takes longer, and leaves it to itself.

    A stopped process neither takes nor gives bytes, and neither `Client` nor `send_bytes` knows of
    time. The thread that is left ends with the worker, or with us.
    """
    found: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(function())
        except BaseException as error:  # handed on below
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not found:
        raise TimeoutError(f"nothing in {seconds:.3g} s")
    return found[0]
