"""Requests to a worker: a thread for each caller's bytes, all answered in the main thread."""

from __future__ import annotations

import contextlib
import faulthandler
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from typing import TYPE_CHECKING

from baffle.drivers.worker.frames import Kind, receive, send
from baffle.drivers.worker.orders import Orders
from baffle.drivers.worker.replies import encode_error
from baffle.drivers.worker.terms import ERROR_LIMIT, decode_terms
from baffle.errors import DecodeError

if TYPE_CHECKING:
    from baffle.drivers.worker.watcher import Watcher

Handler = Callable[[list[bytes]], bytes]
MAX_CALLERS = 8
HELLO_S = 5.0
GRACE_S = 1.0
STDERR = 2  # the log, whatever a handler does to sys.stderr
# What the handshake raises for a caller that does not know it or the key.
_UNKNOWN = (AuthenticationError, AssertionError)


class Request:
    """One request, from its last byte in to its answer's last byte out.

    Args:
        parts: what the handler gets.
        patience: seconds that the caller waits.
        gone: whether the caller has left.
    """

    def __init__(self, parts: list[bytes], patience: float, gone: Callable[[], bool]) -> None:
        self._parts = parts
        self._end = time.monotonic() + patience
        self._gone = gone
        self.reply: tuple[Kind, bytes] = (Kind.OTHER, b"")
        self.done = threading.Event()
        self.sent = threading.Event()

    def run(self, handler: Handler) -> None:
        """Answer it, unless nobody waits any more. A handler that hangs ends the process."""
        left = self._end - time.monotonic()
        if left > 0 and not self._gone():
            # In C, without the interpreter's lock: it also ends a handler that is stuck in C.
            faulthandler.dump_traceback_later(left + GRACE_S, exit=True, file=STDERR)
            self.reply = _answer(handler, self._parts)
            faulthandler.cancel_dump_traceback_later()
        self._parts = []
        self.done.set()


class Inbox:
    """Requests in the order in which they came whole, and the wish to end."""

    def __init__(self) -> None:
        self.ending = ""
        # Unlike queue.Queue, its put may be called in a signal handler.
        self._queue: queue.SimpleQueue[Request | None] = queue.SimpleQueue()

    def put(self, request: Request) -> None:
        """Add a request."""
        self._queue.put(request)

    def take(self, timeout: float) -> Request | None:
        """The next request, or None if there is none in `timeout` seconds or it is time to end.

        Keep the time-out short: a signal that comes just before the waiting begins is handled only
        after it, since Python runs handlers between two steps of the main thread.
        """
        with contextlib.suppress(queue.Empty):
            return self._queue.get(timeout=timeout)
        return None

    def rest(self) -> list[Request]:
        """The requests that nobody has begun with; their callers are told to ask another."""
        found = []
        while not self._queue.empty():
            found.append(self._queue.get())
        return [request for request in found if request is not None]

    def end(self, why: str) -> None:
        """End after the answer that is being made. The first reason is kept."""
        self.ending = self.ending or why
        self._queue.put(None)


def listen(listener: Listener, key: bytes, orders: Orders, inbox: Inbox, watcher: Watcher) -> None:
    """Take callers in the background for as long as the process lives.

    Args:
        listener: without a key of its own.
        key: what a caller must know.
        orders: the worker's orders.
        inbox: where requests go.
        watcher: told about the process that a caller wants watched.
    """
    free = threading.BoundedSemaphore(MAX_CALLERS)
    fingerprint = orders.fingerprint()

    def attend(line: Connection) -> None:
        try:
            with line:
                _greet(line, key)
                _attend(line, fingerprint, orders.limit, inbox, watcher)
        except (OSError, EOFError, ValueError, *_UNKNOWN, DecodeError) as error:
            _say(f"a caller was turned away: {type(error).__name__}: {error}")
        finally:
            free.release()

    def accept() -> None:
        while not inbox.ending:
            free.acquire()
            try:
                line = listener.accept()
            except OSError as error:
                free.release()
                time.sleep(0.1)  # out of files, say; closed at the end
                if not inbox.ending:
                    _say(f"no caller could be taken: {error}")
                continue
            threading.Thread(target=attend, args=(line,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def _greet(line: Connection, key: bytes) -> None:
    """Both sides prove that they know the key. The caller's challenge comes first.

    So that the worker can wait for it with a limit: a caller that says nothing holds a thread only
    for so long.
    """
    if not line.poll(HELLO_S):
        raise EOFError(f"it said nothing for {HELLO_S:g} s")
    answer_challenge(line, key)
    deliver_challenge(line, key)


def _attend(line: Connection, fingerprint: str, limit: int, inbox: Inbox, watcher: Watcher) -> None:
    kind, parts = receive(line, limit + ERROR_LIMIT)
    if kind is not Kind.ASK or not parts:
        raise DecodeError(f"a caller asks, this one sent {kind.name} of {len(parts)} parts")
    wanted, patience, watch_pid = decode_terms(parts[0])
    if wanted != fingerprint or inbox.ending:
        send(line, Kind.OTHER, [], 0)
        return
    if watch_pid is not None:
        watcher.watch(watch_pid)
    request = Request(parts[1:], patience, lambda: _has_left(line))
    del parts
    inbox.put(request)
    request.done.wait()
    kind, data = request.reply
    try:
        send(line, kind, [data], max(limit, ERROR_LIMIT))
    except DecodeError as error:
        send(line, Kind.ERROR, [encode_error(error, "answering")], ERROR_LIMIT)
    finally:
        request.sent.set()


def _has_left(line: Connection) -> bool:
    try:
        return line.poll(0)  # one that waits sends nothing more, so there is only the end to read
    except OSError:
        return True


def _answer(handler: Handler, parts: list[bytes]) -> tuple[Kind, bytes]:
    try:
        data = handler(parts)
        if not isinstance(data, bytes):
            raise TypeError(f"a handler must return bytes, got {type(data).__name__}")
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        return Kind.ERROR, encode_error(error, "the handler failed")
    return Kind.ANSWER, data


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
