"""A worker's second pair of eyes: is all there that it lives for, is the log small."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from baffle.drivers.worker import log
from baffle.drivers.worker.place import Place
from baffle.drivers.worker.processes import identity
from baffle.drivers.worker.state import is_of

if TYPE_CHECKING:
    from baffle.drivers.worker.requests import Inbox

TICK_S = 0.5


class Watcher:
    """Looks twice a second, also while a request is being answered.

    Args:
        pid: the process to watch, or None.
        inbox: told to end when that process has ended, or the place has been cleared.
        place: the worker's place, whose state it has written already.
        start: the name of the worker's start.
    """

    def __init__(self, pid: int | None, inbox: Inbox, place: Place, start: str) -> None:
        self._inbox = inbox
        self._place = place
        self._start = start
        self._watched: tuple[int, str | None] | None = None
        if pid is not None:
            self.watch(pid)

    def watch(self, pid: int) -> None:
        """Watch this process from now on, and no other."""
        self._watched = (pid, identity(pid))

    def start(self) -> None:
        """Begin, in the background."""
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not self._inbox.ending:
            if self._watched is not None and _ended(*self._watched):
                self._inbox.end(f"process {self._watched[0]}, which it served, has ended")
            if not is_of(self._place, self._start):  # so nobody could find us, nor end us
                self._inbox.end("its folder has been cleared")
            log.trim(self._place.log)
            time.sleep(TICK_S)


def _ended(pid: int, name: str | None) -> bool:
    return name is None or identity(pid) != name
