"""Report the opposite of what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from baffle.drivers.local.hostile.base import HonestData, Integers, Scene


@dataclass(frozen=True)
class SignFlip(HonestData):
    """−q: the update of a hostile client points uphill."""

    name: ClassVar[str] = "sign_flip"

    def values(self, scene: Scene) -> Integers:
        """Return the honest values with the opposite sign."""
        return -scene.honest
