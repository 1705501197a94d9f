"""What a monitor is: it is told of a run as it goes on and hands that to someone else's tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Row = Mapping[str, Any]


class Monitor(Protocol):
    """Told of one run, in this order: begin, rows and events, end, close.

    Each call may raise; `Many` keeps that from the training. A resumed run begins again, and its
    rows go on where the old ones ended.
    """

    def begin(self, about: Mapping[str, Any]) -> None:
        """Take note of the run before its first row.

        Args:
            about: `run` (32 hexadecimal digits), `run_dir`, `round` (rounds done before; 0 unless
                the run is resumed), `rounds` (of the whole run) and `settings` (nested).
        """

    def row(self, row: Row) -> None:
        """Take a round's figures, as metrics.jsonl has them; unknown floats are nan or None."""

    def event(self, name: str, **fields: Any) -> None:
        """Take something that is not a round's: a calibration trial, a late joiner, a restart.

        Args:
            name: a short word.
            fields: what JSON can hold. May come before `begin`.
        """

    def end(self, summary: Mapping[str, Any]) -> None:
        """Take what the run came to; not called when the run failed.

        Args:
            summary: as `baffle run --json` prints it; `rounds` below `rounds_planned` when the
                run was interrupted.
        """

    def close(self) -> None:
        """Release files, sockets and threads; again is no error."""
