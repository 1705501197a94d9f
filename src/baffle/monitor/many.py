"""Several monitors as one; the first failure of one is logged and it is left out from then on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from baffle.monitor.base import Monitor, Row

log = logging.getLogger("baffle.monitor")


class Many:
    """Hands everything to each monitor; watching a run never stops it.

    Args:
        monitors: by name; none at all is fine.

    Example:
        >>> with Many({}) as watching:
        ...     watching.row({"round": 1, "loss": 0.5})
    """

    def __init__(self, monitors: Mapping[str, Monitor]) -> None:
        self._monitors = dict(monitors)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the monitors that still work."""
        return tuple(self._monitors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def begin(self, about: Mapping[str, Any]) -> None:
        """Tell all of the run."""
        self._each("begin", about)

    def row(self, row: Row) -> None:
        """Give all a round's figures."""
        self._each("row", row)

    def event(self, name: str, **fields: Any) -> None:
        """Tell all of an event."""
        self._each("event", name, **fields)

    def end(self, summary: Mapping[str, Any]) -> None:
        """Tell all what the run came to."""
        self._each("end", summary)

    def close(self) -> None:
        """Close all, once."""
        self._each("close")
        self._monitors = {}

    def _each(self, call: str, *args: Any, **fields: Any) -> None:
        for name, monitor in list(self._monitors.items()):
            try:
                getattr(monitor, call)(*args, **fields)
            except Exception as problem:  # other people's code: any kind, and never the run's end
                self._leave_out(name, call, problem)

    def _leave_out(self, name: str, call: str, problem: Exception) -> None:
        monitor = self._monitors.pop(name, None)
        if monitor is None:
            return
        what = f"{type(problem).__name__}: {problem}"
        log.warning("monitor %s failed at %s and is left out from now on: %s", name, call, what)
        if call != "close":
            self._release(name, monitor)
        self.event("monitor_failed", monitor=name, at=call, problem=what)

    def _release(self, name: str, monitor: Monitor) -> None:
        try:
            monitor.close()
        except Exception as problem:  # it has failed already and was reported
            log.debug("monitor %s did not close: %s", name, problem)
