"""A run folder as reports read it: settings and rows, nothing else of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from baffle.config import Settings, load_config, resolve
from baffle.drivers.local.metrics import Row, read_metrics
from baffle.errors import LedgerError

CONFIG = "config.toml"


@dataclass(frozen=True)
class Run:
    """What config.toml and metrics.jsonl hold.

    Args:
        folder: run folder.
        settings: complete.
        rows: one a round, ascending; those rebuilt after a crash lack the driver's figures.
    """

    folder: Path
    settings: Settings
    rows: list[Row]

    def known(self, name: str) -> Iterator[float]:
        """Yield the finite values of a figure, round by round."""
        for row in self.rows:
            value = row.get(name)
            if value is not None and math.isfinite(value):
                yield value

    def last(self, name: str) -> float | None:
        """Return a figure's last known value, None if there is none."""
        return next(reversed(list(self.known(name))), None)


def read_run(folder: Path) -> Run:
    """Return a run folder's settings and rows.

    Raises:
        LedgerError: the folder is no run.
        ConfigError: its configuration cannot be read.

    Example:
        >>> read_run(Path("runs/first")).rows[-1]["round"]  # doctest: +SKIP
        400
    """
    settings = read_settings(folder)
    return Run(folder, settings, sorted(read_metrics(folder), key=lambda row: row["round"]))


def read_settings(folder: Path) -> Settings:
    """Return a run folder's settings.

    Raises:
        LedgerError: the folder is no run.
        ConfigError: its configuration cannot be read.
    """
    if not (folder / CONFIG).is_file():
        raise LedgerError(f"{folder} is not a run: it holds no {CONFIG}")
    return resolve(load_config(folder / CONFIG))
