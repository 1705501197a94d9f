"""When a device works: its battery, and whatever a command of its owner says."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SUPPLIES = Path("/sys/class/power_supply")
COMMAND_SECONDS = 30.0


class Condition(Protocol):
    """Something that must hold before a device asks for work."""

    def hinders(self) -> str:
        """Return why not now, in words; empty if nothing hinders."""
        ...


@dataclass(frozen=True)
class Battery:
    """Enough charge, or a charger.

    Args:
        least: per cent.
        supplies: where the system describes its power supplies.
    """

    least: int
    supplies: Path = SUPPLIES

    def hinders(self) -> str:
        """Return what the charge is if it is too low; a device without a battery has none."""
        for supply in sorted(self.supplies.glob("*")):
            charge, status = (_word(supply / name) for name in ("capacity", "status"))
            if charge.isdecimal() and int(charge) < self.least and status == "Discharging":
                return f"the battery is at {charge} %, and {self.least} are wanted"
        return ""


@dataclass(frozen=True)
class Command:
    """A command that ends with 0 when the device may work: a metered link, a busy device.

    Args:
        words: the command and its arguments; no shell.
    """

    words: Sequence[str]

    def hinders(self) -> str:
        """Return how the command ended, if not with 0."""
        try:
            found = subprocess.run(
                list(self.words), timeout=COMMAND_SECONDS, capture_output=True, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            return f"{self.words[0]}: {problem}"
        return f"{self.words[0]} ended with {found.returncode}" if found.returncode else ""


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
