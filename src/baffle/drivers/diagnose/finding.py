"""What a check says of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["wrong", "suspicious", "unknown", "ok"]
SEVERITIES: tuple[Severity, ...] = ("wrong", "suspicious", "unknown", "ok")


@dataclass(frozen=True)
class Finding:
    """One check's answer.

    Args:
        check: a row of CHECKS.
        severity: "wrong": it keeps a run from learning; "suspicious": it costs much, or may do so;
            "unknown": it could not be looked at; "ok".
        figure: what was measured, beside what it is held against.
        verdict: what that means, in a sentence.
        change: what to do, in a sentence; empty where nothing is to be done.
        settings: that do it, by dotted name.
        explains: checks whose findings are consequences of this one.

    Example:
        >>> Finding("radius", "ok", "agreement 0.99", "The radius fits.").settings
        {}
    """

    check: str
    severity: Severity
    figure: str
    verdict: str
    change: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    explains: tuple[str, ...] = ()

    @property
    def bad(self) -> bool:
        """Whether there is something to be done about it."""
        return self.severity in ("wrong", "suspicious")


def unknown(check: str, why: str) -> Finding:
    """Return that a check was not possible."""
    return Finding(check, "unknown", "", why)


def graded(value: float, suspicious: float, wrong: float) -> Severity:
    """Return how bad a figure is that ought to be small; nan counts as ok.

    Example:
        >>> graded(0.3, suspicious=0.1, wrong=0.5)
        'suspicious'
    """
    if value >= wrong:
        return "wrong"
    return "suspicious" if value >= suspicious else "ok"
