"""Why does a run not learn: from its folder, and from a few probes where model and data are."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baffle.config import Settings
from baffle.drivers.diagnose.checks import CHECKS
from baffle.drivers.diagnose.figures import Figures
from baffle.drivers.diagnose.finding import SEVERITIES, Finding
from baffle.drivers.diagnose.measuring import measure
from baffle.drivers.diagnose.reading import Found, read
from baffle.drivers.local.baseline_rules import require_ledger
from baffle.drivers.local.task import OWN, Task, task_of
from baffle.errors import BaffleError

LEARNS = 0.8  # share of the first loss that is gone
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Diagnosis:
    """What the checks say of a run.

    Args:
        folder: run folder.
        figures: what they looked at.
        findings: the worst first, causes before their consequences.
        causes: of findings that follow from others, by check.
    """

    folder: Path
    figures: Figures
    findings: tuple[Finding, ...]
    causes: Mapping[str, str]

    @property
    def first(self) -> Finding | None:
        """What to change first; None if nothing is found."""
        return next((f for f in self.findings if f.bad), None)

    @property
    def command(self) -> str | None:
        """A command line that does so, where settings can."""
        if self.first is None or not self.first.settings:
            return None
        given = " ".join(f"--set {name}={value}" for name, value in self.first.settings.items())
        return f"baffle run {self.folder / 'config.toml'} {given}"

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        first = self.first
        return {
            "run_dir": str(self.folder),
            "rounds": len(self.figures.rows),
            "learned": self.figures.learned,
            "measured": self.figures.measured is not None,
            "why_not": self.figures.why_not or None,
            "outside_privacy": self.figures.outside_privacy,
            "first": first.check if first else None,
            "command": self.command,
            "findings": [
                dataclasses.asdict(f) | {"follows_from": self.causes.get(f.check)}
                for f in self.findings
            ],
        }


def diagnose(folder: Path, task: Task | None = None) -> Diagnosis:
    """Return why a run does not learn, as far as its folder, model and data tell.

    Nothing of the run is changed; it may be in progress. What is measured looks at the data as they
    are: with privacy it is outside of what the run promises, and for who holds the data alone.

    Args:
        folder: run folder, a simulation's or a fleet's.
        task: model and data of a run whose model or data came from Python; by default what the
            configuration names, and if that is not here, only what the folder says.

    Raises:
        LedgerError: the folder is no run, or its stored bytes are damaged.
        SignatureMismatch: the task given has another model.

    Example:
        >>> diagnose(Path("runs/first")).first.check  # doctest: +SKIP
        'radius'
    """
    require_ledger(folder)
    found = read(folder)
    return conclude(folder, _with_measurements(found, task))


def conclude(folder: Path, figures: Figures) -> Diagnosis:
    """Return what all checks say of these figures: no file and no model is looked at.

    Args:
        folder: for the reader.
        figures: of a run.
    """
    if not figures.rows or not figures.rounds:
        return Diagnosis(folder, figures, (_no_round(figures),), {})
    said = [finding for check in CHECKS.values() if (finding := check(figures)) is not None]
    if figures.learned >= LEARNS:
        said = [_milder(finding) for finding in said]
    causes = _causes(said)
    ordered = sorted(said, key=lambda f: (SEVERITIES.index(f.severity), f.check in causes))
    return Diagnosis(folder, figures, tuple(ordered), causes)


def _milder(finding: Finding) -> Finding:
    """Return what is said of a run that learns all the same."""
    if finding.severity != "wrong":
        return finding
    verdict = f"{finding.verdict} The run learns all the same."
    return dataclasses.replace(finding, severity="suspicious", verdict=verdict)


def _no_round(figures: Figures) -> Finding:
    if figures.rows:
        return Finding(
            "reports",
            "wrong",
            f"all {len(figures.rows):,} rounds abandoned",
            "No round got the reports that it needs.",
            "Ask more clients, or let a round be closed with fewer reports.",
            {"federation.min_reports": 1},
        )
    return Finding("reports", "unknown", "no round is stored", "There is nothing to look at yet.")


def _causes(findings: list[Finding]) -> dict[str, str]:
    """Return which findings follow from which: from one as bad or worse that does not itself."""
    causes: dict[str, str] = {}
    for cause in findings:
        if not cause.bad or cause.check in causes:
            continue
        for other in findings:
            worse = SEVERITIES.index(cause.severity) <= SEVERITIES.index(other.severity)
            if other.bad and worse and other.check in cause.explains:
                causes.setdefault(other.check, cause.check)
    return causes


def _with_measurements(found: Found, task: Task | None) -> Figures:
    figures = found.figures
    if not figures.rounds:
        return dataclasses.replace(figures, why_not="no round is stored")
    if not figures.travel.finite:
        return dataclasses.replace(figures, why_not="the weights are not finite")
    if task is None:
        task, why = _named(figures.settings)
        if task is None:
            return dataclasses.replace(figures, why_not=why)
        return _named_measured(found, task)
    return dataclasses.replace(figures, measured=measure(found, task, figures.settings.engine))


def _named_measured(found: Found, task: Task) -> Figures:
    """Return figures with measurements, or without them where this model cannot be evaluated."""
    figures = found.figures
    try:
        measured = measure(found, task, figures.settings.engine)
    except Exception as no:  # of a model that changed since, or of one too large for this machine
        logger.warning("no measurements: %s", no, exc_info=not isinstance(no, BaffleError))
        return dataclasses.replace(figures, why_not=f"the model cannot be evaluated here: {no}")
    return dataclasses.replace(figures, measured=measured)


def _named(settings: Settings) -> tuple[Task | None, str]:
    """Return what a configuration names, or why that is not here."""
    if OWN in (settings.model.name, settings.data.name):
        return (
            None,
            "model or data came from Python; from there, call diagnose(folder, own_task(…))",
        )
    try:
        return task_of(settings), ""
    except BaffleError as no:
        logger.info("no measurements: %s", no)
        return None, str(no)
