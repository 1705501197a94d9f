"""How much anyone gets: requests a second, and bytes in memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """Requests a second in the long run, and how many at once."""

    second: float
    burst: float


class Buckets:
    """Token buckets by key; a full one is not kept.

    Args:
        rate: of each.
        most: buckets kept; the one that was asked for longest ago is forgotten first.
    """

    def __init__(self, rate: Rate, most: int) -> None:
        self._rate, self._most = rate, most
        self._levels: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def lacking(self, key: object, now: float) -> float:
        """Return the seconds until there is one to take, 0 if there is; takes nothing."""
        level = self._level(key, now)
        return 0.0 if level >= 1.0 else (1.0 - level) / self._rate.second

    def take(self, key: object, now: float) -> float:
        """Take one if it is there, and return 0; else the seconds until it is."""
        lacking = self.lacking(key, now)
        if not lacking:
            self._keep(key, self._level(key, now) - 1.0, now)
        return lacking

    def _level(self, key: object, now: float) -> float:
        level, at = self._levels.get(key, (self._rate.burst, now))
        return min(self._rate.burst, level + max(0.0, now - at) * self._rate.second)

    def _keep(self, key: object, level: float, now: float) -> None:
        self._levels[key] = level, now
        self._levels.move_to_end(key)
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)

    def __len__(self) -> int:
        return len(self._levels)


class Room:
    """Bytes that may be held at once.

    Args:
        size: of all together.
    """

    def __init__(self, size: int) -> None:
        self.size, self.held = size, 0

    def take(self, size: int) -> bool:
        """Take so many bytes, if they are there."""
        if self.held + size > self.size:
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        """Give bytes back."""
        self.held -= size


def caller_of(address: str) -> str:
    """Return whom an address belongs to: an IPv6 one, whoever has its /64.

    Example:
        >>> caller_of("192.0.2.7"), caller_of("2001:db8::1:2"), caller_of("nobody")
        ('192.0.2.7', '2001:db8::/64', 'nobody')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found), 64), strict=False))
