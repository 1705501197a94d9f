"""Named algorithms: each is a set of choices for the settings that an algorithm decides.

An algorithm has one file with one `CHOICES` and one row here. What it does not choose keeps the
general default; what the user sets by hand wins over both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baffle.algorithms import baffle, baffle_paper, decomfl, mezo
from baffle.errors import ConfigError

Choices = Mapping[str, Mapping[str, Any]]

ALGORITHMS: dict[str, Choices] = {
    "baffle": baffle.CHOICES,
    "baffle-paper": baffle_paper.CHOICES,
    "mezo": mezo.CHOICES,
    "decomfl": decomfl.CHOICES,
}


def choices(name: str) -> Choices:
    """Return what a named algorithm chooses, by section and setting.

    Raises:
        ConfigError: no such algorithm.

    Example:
        >>> choices("baffle-paper")["probe"]["directions"]
        'gaussian'
    """
    if name not in ALGORITHMS:
        raise ConfigError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {name!r}")
    return ALGORITHMS[name]
