"""Devices' questions that wait for an ask: woken from the server's thread, or by the clock."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterable

from starlette.types import Receive

Waiter = asyncio.Future[None]


class Waiters:
    """One question a device at most: a newer one ends the older."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_node: dict[int, Waiter] = {}

    def enter(self, node: int) -> Waiter:
        """Return what is done once there is something to look at; see `leave`."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            before = self._by_node.get(node)
            self._by_node[node] = waiter
        if before is not None:
            before.get_loop().call_soon_threadsafe(_set, [before])
        return waiter

    def leave(self, node: int, waiter: Waiter) -> None:
        """Forget a waiter."""
        with self._lock:
            if self._by_node.get(node) is waiter:
                del self._by_node[node]

    def wake(self, nodes: Iterable[int]) -> None:
        """Let those of some nodes look; called from any thread."""
        with self._lock:
            found = [w for w in map(self._by_node.get, nodes) if w is not None]
        by_loop = defaultdict[asyncio.AbstractEventLoop, list[Waiter]](list)
        for waiter in found:
            by_loop[waiter.get_loop()].append(waiter)
        for loop, waiters in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_set, waiters)

    def __len__(self) -> int:
        return len(self._by_node)


def _set(waiters: Iterable[Waiter]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)


async def wait(waiter: Waiter, receive: Receive, seconds: float) -> bool:
    """Wait until a waiter is woken, some seconds have passed, or its device hangs up.

    Args:
        waiter: from `Waiters.enter`.
        receive: of the request, whose body was read.
        seconds: at most.

    Returns:
        whether the device is still there, so far as is known.
    """
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((waiter, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return not gone.done()
    finally:
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
