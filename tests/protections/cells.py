"""Every cell of the table of protections: what is switched on, and why it is refused, if it is.

The reasons are found here by hand, from docs/privacy.md, not by the code under test.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

CLIENTS = 12
SECURE = (False, True)
GROUPS = ("one", "own", "shared")
UNITS = ("none", "client", "example")
RULES = ("sum", "median", "multi_krum")
WEIGHTINGS = ("uniform", "examples")
STEPS = (1, 2)


@dataclass(frozen=True)
class Cell:
    """One combination."""

    secure: bool
    groups: str
    unit: str
    rule: str
    weighting: str
    steps: int

    def __str__(self) -> str:
        parts = (
            "secure" if self.secure else "clear",
            f"{self.groups}-groups",
            f"unit-{self.unit}",
            self.rule,
            self.weighting,
            f"H{self.steps}",
        )
        return "-".join(parts)

    @property
    def settings(self) -> dict[str, Any]:
        """The sections that ask for it."""
        number, directions = {"one": (1, "own"), "own": (3, "own"), "shared": (4, "shared")}[
            self.groups
        ]
        return {
            "secure": {"sums": self.secure},
            "groups": {"number": number, "directions": directions},
            "privacy": {"unit": self.unit, "noise_multiplier": 0.5, "epsilon": 1000.0},
            "robust": {"rule": self.rule},
            "federation": {"weighting": self.weighting},
            "probe": {"num_local_steps": self.steps},
        }

    @property
    def refusal(self) -> str | None:
        """Words of the reason, None where the combination runs."""
        if self.unit != "none":
            if not self.secure:
                return "without secure sums the server would see each report with a share alone"
            if self.weighting == "examples":
                return "privacy goes with uniform weights"
            if self.unit == "example" and self.steps > 1:
                return "there is one local step"
        if self.rule == "sum":
            return None
        if self.weighting == "examples":
            return "counts heads"
        if self.secure and self.groups != "shared":
            return "needs several to compare"
        if not self.secure and self.groups == "shared":
            return "would only hide them from it"
        if self.rule == "multi_krum" and (self.groups == "own" or self.secure):
            return "expected at least"  # 4 clients a group, or 4 groups: it takes 5
        return None


def cells() -> list[Cell]:
    """Return all of them."""
    product = itertools.product(SECURE, GROUPS, UNITS, RULES, WEIGHTINGS, STEPS)
    return [Cell(*choice) for choice in product]
