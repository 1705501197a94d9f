"""Structured logs: one JSON object a line, to a file or standard error."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from baffle.errors import ConfigError
from baffle.monitor.base import Row

WRONG = ("fault", "abandoned", "disk full")


class JsonLog:
    """Writes `time`, `level`, `event`, `run` and `round`, then the event's own fields.

    Args:
        file: appended to, made if missing; None for standard error.

    Raises:
        ConfigError: the file cannot be written.

    Example:
        >>> log = JsonLog(Path("run.log"))  # doctest: +SKIP
        >>> log.row({"round": 1, "loss": 0.5})  # doctest: +SKIP
    """

    def __init__(self, file: Path | None = None) -> None:
        self._handler = _handler(file)
        self._handler.setFormatter(_Json())
        # Not in logging's tree: other packages' settings neither silence nor double these lines.
        self._logger = logging.Logger("baffle.run", logging.INFO)
        self._logger.addHandler(self._handler)
        self._run: str | None = None
        self._round: int | None = None

    def begin(self, about: Mapping[str, Any]) -> None:
        """Log the run's beginning, settings included."""
        self._run, self._round = about.get("run"), about.get("round")
        self._log(logging.INFO, "begin", about)

    def row(self, row: Row) -> None:
        """Log a round; as a warning if it was abandoned or losses were not finite."""
        self._round = row.get("round")
        odd = row.get("abandoned") or row.get("nonfinite")
        self._log(logging.WARNING if odd else logging.INFO, "round", row)

    def event(self, name: str, **fields: Any) -> None:
        """Log an event; as a warning if it tells of something that went wrong."""
        wrong = name in WRONG or name.endswith("failed")
        self._log(logging.WARNING if wrong else logging.INFO, name, fields)

    def end(self, summary: Mapping[str, Any]) -> None:
        """Log what the run came to."""
        self._log(logging.INFO, "end", summary)

    def close(self) -> None:
        """Close the file."""
        self._logger.removeHandler(self._handler)
        self._handler.close()

    def _log(self, level: int, event: str, fields: Mapping[str, Any]) -> None:
        said = {"run": self._run, "round": self._round} | dict(fields)
        self._logger.log(level, event, extra={"fields": said})


class _Json(logging.Formatter):
    """A record as one line of JSON; what JSON cannot hold is null or text."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC)
        own = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", {})
        return json.dumps(_plain(own | fields | own), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (str, int, type(None))) else str(value)


def _handler(file: Path | None) -> logging.Handler:
    if file is None:
        return _Stream(sys.stderr)
    try:
        _end_torn_line(file)
        return _File(file, mode="a", encoding="utf-8")
    except OSError as problem:
        raise ConfigError(f"the log file {file} cannot be written: {problem}") from None


def _end_torn_line(file: Path) -> None:
    """End the line that a killed process left unfinished, so that it spoils no other."""
    if not file.exists() or file.stat().st_size == 0:
        return
    with file.open("r+b") as lines:
        lines.seek(-1, os.SEEK_END)
        if lines.read(1) != b"\n":
            lines.write(b"\n")


class _Raises:
    """Lets a failed write be seen; logging prints it and goes on, line after line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        raise  # noqa: PLE0704 - called by logging inside its except


class _File(_Raises, logging.FileHandler):
    """A file whose failures are raised."""


class _Stream(_Raises, logging.StreamHandler[TextIO]):
    """A stream whose failures are raised."""
