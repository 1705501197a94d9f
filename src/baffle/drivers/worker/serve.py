"""The worker's process: from its orders to a handler, then one request after another."""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import secrets
import signal
import sys
import time
import traceback
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any, NoReturn

from baffle.drivers.worker import log
from baffle.drivers.worker.locks import FileLock
from baffle.drivers.worker.orders import Orders, check_reference, here
from baffle.drivers.worker.place import FAMILY, Place, write_private
from baffle.drivers.worker.processes import identity
from baffle.drivers.worker.replies import encode_error
from baffle.drivers.worker.requests import STDERR, Handler, Inbox, Request, listen
from baffle.drivers.worker.state import State, is_of, write_state
from baffle.drivers.worker.watcher import TICK_S, Watcher
from baffle.errors import ConfigError

START_PATIENCE_S = 2.0
SENT_PATIENCE_S = 5.0
EXIT_PATIENCE_S = 10.0
BACKLOG = 16


def begin(folder: str, data: bytes) -> NoReturn:
    """Become the worker of `folder`; ends the process.

    Args:
        folder: the worker's folder.
        data: `Orders.to_json`.
    """
    os.umask(0o077)
    place, orders = Place(Path(folder)), Orders.from_json(data)
    life = FileLock(place.life_lock)
    if not life.take(START_PATIENCE_S):
        sys.exit(f"another worker lives in {folder}")
    _detach()
    life.close_in_children()
    sys.exit(_run(place, orders))


def _detach() -> None:
    """Leave the caller: no child of it, in a session of our own, with none of its files.

    The lock has been taken before, and the fork shares it. So the one who waits for the first
    process to end finds the lock held, unless the worker has ended.
    """
    if sys.platform == "win32":
        return
    if os.fork():
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _run(place: Place, orders: Orders) -> int:
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    log.trim(place.log)
    sys.stderr.write(f"{log.START} {os.getpid()} starts {now}: {orders.reference}\n")
    process = identity(os.getpid()) or ""
    state = State("starting", orders.start, orders.fingerprint(), os.getpid(), process)
    write_state(place, state)
    inbox = Inbox()
    watcher = Watcher(orders.watch_pid, inbox, place, orders.start)
    watcher.start()
    try:
        faulthandler.dump_traceback_later(orders.start_s, exit=True, file=STDERR)
        handler = load_handler(orders)
        faulthandler.cancel_dump_traceback_later()
        listener = _listener(place, orders.start[:8])
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        trouble = encode_error(error, "the worker could not start").decode()
        write_state(place, state._replace(stage="failed", trouble=trouble))
        return 1
    address = str(listener.address)
    signal.signal(signal.SIGTERM, lambda *_: _ask_to_end(inbox))
    key = secrets.token_bytes(32)
    write_private(place.key, key)
    listen(listener, key, orders, inbox, watcher)
    write_state(place, state._replace(stage="ready", address=address))
    why = _serve(inbox, handler, orders.idle_s)
    sys.stderr.write(f"the worker ends: {why}\n")
    listener.close()
    place.clean_address(address)
    if is_of(place, orders.start):  # and not already the next one's
        place.clean()
    # Whatever hangs while the interpreter shuts down must not keep the lock.
    faulthandler.dump_traceback_later(EXIT_PATIENCE_S, exit=True, file=STDERR)
    return 0


def load_handler(orders: Orders) -> Handler:
    """Import the factory and call it.

    Args:
        orders: with the factory's reference and its options.

    Returns:
        What the factory returned.

    Raises:
        ConfigError: no such factory, one that does not return a callable, or another baffle.
        Exception: whatever the import or the factory raises.
    """
    if orders.version != here():
        raise ConfigError(
            f"the worker's paths lead to {here()}, but its caller is {orders.version}; "
            "both must be the same"
        )
    module, name = check_reference(orders.reference)
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{orders.reference!r} names no factory: there is no {part!r}")
        found = getattr(found, part)
    handler = found(json.loads(orders.options))
    if not callable(handler):
        kind = type(handler).__name__
        raise ConfigError(f"{orders.reference!r} must return a callable handler, got {kind}")
    made: Handler = handler
    return made


def _listener(place: Place, name: str) -> Listener:
    # No key here: with one, `accept` would wait for ever for a caller that says nothing.
    return Listener(place.new_address(name), FAMILY, backlog=BACKLOG)


def _ask_to_end(inbox: Inbox) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the second one does not wait for an answer
    inbox.end("told to by a signal")


def _serve(inbox: Inbox, handler: Handler, idle_s: float) -> str:
    """Answer requests until there is a reason to end, which is returned."""
    last: Request | None = None
    idle_since = time.monotonic()
    while not inbox.ending:
        request = inbox.take(min(idle_s, TICK_S))
        if request is not None:
            request.run(handler)
            last, idle_since = request, time.monotonic()
        elif time.monotonic() - idle_since >= idle_s:
            inbox.end(f"no request in {idle_s:g} s")
    for request in [last, *inbox.rest()]:
        if request is not None:
            request.done.set()
            request.sent.wait(SENT_PATIENCE_S)
    return inbox.ending
