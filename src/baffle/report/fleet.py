"""What a fleet's server says of itself between rounds: fleet.json in the run folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "fleet.json"
MAX_BYTES, MAX_WORD = 1 << 16, 40


@dataclass(frozen=True)
class Fleet:
    """Where a fleet stands. None is what the file does not say.

    Args:
        online, registered: nodes connected now, and known.
        stage: what the server is doing.
        asked, reported: clients asked in this round, and their reports that are in.
        deadline: seconds left of the round when the file was written.
        updated: when that was, seconds since 1970.
    """

    online: int | None = None
    registered: int | None = None
    stage: str | None = None
    asked: int | None = None
    reported: int | None = None
    deadline: float | None = None
    updated: float | None = None


def read_fleet(folder: Path) -> Fleet | None:
    """Return what fleet.json says; None if there is none, or it is being written or damaged.

    Args:
        folder: run folder.

    Example:
        >>> read_fleet(Path("runs/not yet")) is None
        True
    """
    try:
        with (folder / FILE).open("rb") as file:
            found = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return _fleet(found) if isinstance(found, dict) else None


def _fleet(found: dict[str, Any]) -> Fleet:
    stage = found.get("stage")
    counts = {name: _count(found.get(name)) for name in ("online", "registered", "asked")}
    return Fleet(
        **counts,
        stage=word(stage) if isinstance(stage, str) else None,
        reported=_count(found.get("in")),
        deadline=_seconds(found.get("deadline")),
        updated=_seconds(found.get("updated")),
    )


def word(text: str) -> str:
    """Return a short word fit for a terminal: what moves its cursor is left out."""
    return "".join(c for c in text[:MAX_WORD] if c.isprintable())


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else None


def _seconds(value: Any) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if known and abs(value) < 2**53 else None  # nor nan
