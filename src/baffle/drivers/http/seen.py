"""When devices last spoke, in `gateway/seen.json`: for whoever runs the gateway, and for no rule.

Written about once a minute, so a crash loses a minute of it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from baffle.ledger import durable

FILE = "seen.json"
EVERY_SECONDS = 60.0
logger = logging.getLogger(__name__)


class Seen:
    """The file.

    Args:
        path: of it; there need be none.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._said = path, read(path)
        self._last = float("-inf")

    def due(self, now: float) -> bool:
        """Return whether it is time to write it."""
        return now - self._last >= EVERY_SECONDS

    def note(self, lately: Mapping[int, float], now: float, today: float) -> None:
        """Write when devices last spoke; a disk that does not take it costs nothing else.

        Args:
            lately: when, by node, on the clock of `now`; of devices that spoke in this process.
            now: seconds, monotonic.
            today: seconds since 1970.
        """
        self._last, before = now, dict(self._said)
        self._said |= {node: round(today - (now - at)) for node, at in lately.items()}
        if self._said == before:
            return
        try:
            durable.write(self._path, json.dumps(self._said).encode(), mode=0o600)
        except OSError as problem:
            logger.warning("%s could not be written: %s", self._path, problem)


def read(path: Path) -> dict[int, int]:
    """Return when devices last spoke, seconds since 1970, by node; empty if nothing is known."""
    try:
        return {int(node): int(at) for node, at in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
