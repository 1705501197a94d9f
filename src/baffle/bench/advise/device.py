"""What a client's device can do, beside this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass

from baffle.errors import ConfigError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_AMOUNT = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([kmg]i?)?b?(/s)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Device:
    """A device and its link.

    Args:
        memory: bytes that the process may have, its runtime included.
        speed: how many times as fast as this machine it computes.
        up, down: bytes a second.
        inference_only: whether its runtime computes no gradients.
        runtime: bytes of its runtime before a model is loaded; None for Python's and torch's, as
            measured here.

    Raises:
        ConfigError: a number that is not positive.
    """

    memory: float = float("inf")
    speed: float = 1.0
    up: float = 125e3
    down: float = 1.25e6
    inference_only: bool = False
    runtime: float | None = None

    def __post_init__(self) -> None:
        for name in ("memory", "speed", "up", "down"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"expected a device's {name} above 0, got {getattr(self, name)}")


def amount(option: str, text: str) -> float:
    """Return bytes, or bytes a second, of what people write.

    Args:
        option: for the message.
        text: a number with an optional unit, decimal (kB, MB, GB) or binary (KiB, MiB, GiB).

    Raises:
        ConfigError: anything else.

    Example:
        >>> amount("memory", "256MiB"), amount("up", "50 kB/s"), amount("up", "20")
        (268435456.0, 50000.0, 20.0)
    """
    found = _AMOUNT.fullmatch(text)
    if not found:
        raise ConfigError(f"--{option}: expected a number with a unit as 256MiB, got {text!r}")
    return float(found[1]) * _UNITS[(found[2] or "").lower()]
