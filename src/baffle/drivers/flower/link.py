"""Patience with a SuperLink that is away for a while: killed, restarted, unreachable."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from baffle.errors import LinkLost

T = TypeVar("T")


class Link:
    """Calls to a Grid that are repeated until the SuperLink answers or `patience` is over.

    Args:
        grid: Flower's Grid.
        patience: seconds to wait for a SuperLink that is away.
        pause: seconds between two attempts.
        clock, sleep: for tests.
    """

    def __init__(
        self,
        grid: Any,
        patience: float,
        *,
        pause: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.patience, self.pause = patience, pause
        self.clock, self.sleep = clock, sleep
        _make_impatient(grid, patience, pause)

    def call(self, action: Callable[[], T]) -> T:
        """Return what `action` returns.

        Raises:
            LinkLost: after `patience` seconds, or at once when the run is not running any more.
        """
        from flwr.supercore.run import RunNotRunningException

        start = self.clock()
        while True:
            try:
                return action()
            except (Exception, RunNotRunningException) as error:  # the latter is no Exception
                away = self.clock() - start
                if not _passing(error):
                    raise _final(error) from error
                if away >= self.patience:
                    message = f"the SuperLink did not answer for {away:.0f} s ({error!r})"
                    raise LinkLost(f"{message}; is it running?") from error
            self.sleep(self.pause)


def _make_impatient(grid: Any, patience: float, pause: float) -> None:
    """Bound the Grid's own retries: HttpGrid's repeat without end, up to 20 s apart.

    Flower sets these attributes itself when a ServerApp ends. Without them (InMemoryGrid) there is
    no connection to lose.
    """
    invoker = getattr(grid, "_retry_invoker", None)
    if invoker is None:
        return

    def pauses() -> Iterator[float]:
        return itertools.repeat(pause)

    invoker.max_time = patience
    invoker.wait_gen_factory = pauses
    invoker.jitter = None


def _passing(error: BaseException) -> bool:
    """Return whether the same call may succeed later."""
    import httpx
    from flwr.supercore.inflatable.inflatable_utils import ObjectPushError

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500
    # An ObjectPushError means that a restarted SuperLink forgot the push session: push anew.
    return isinstance(error, httpx.TransportError | ObjectPushError)


def _final(error: BaseException) -> BaseException:
    """Return the error to raise instead of one that will not pass."""
    import httpx
    from flwr.supercore.run import RunNotRunningException

    if isinstance(error, RunNotRunningException):
        return LinkLost("the SuperLink says that this run is not running any more")
    if isinstance(error, httpx.HTTPStatusError):
        return LinkLost(f"the SuperLink refused a call: {str(error)[:200]}")
    return error
