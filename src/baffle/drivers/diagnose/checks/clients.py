"""What clients do to a round: too few answer, they differ, or they lie."""

from __future__ import annotations

import math

from baffle.cohort import cohort_size
from baffle.drivers.diagnose.figures import Drift, Figures, middle
from baffle.drivers.diagnose.finding import Finding, Severity, graded, unknown

MANY_ABANDONED, SOME_ABANDONED = 0.5, 0.1
MANY_MISSED, SOME_MISSED = 0.9, 0.4
DRIFTS, DIFFERS = 2.0, 1.0  # h² that a round's cohort leaves, over |g|²
LEARNS = 0.8  # share of the first loss that is gone: then drift has done no harm


def reports(figures: Figures) -> Finding:
    """Do rounds end with enough reports?"""
    rows = figures.rows
    abandoned = sum(bool(row.get("abandoned")) for row in rows) / len(rows)
    missed = middle(1 - row["reports"] / row["asked"] for row in rows if row.get("asked"))
    figure = f"{abandoned:.0%} of rounds abandoned, {_share(missed)} of reports missed"
    severity: Severity = max(
        graded(abandoned, SOME_ABANDONED, MANY_ABANDONED),
        graded(missed, SOME_MISSED, MANY_MISSED),
        key=("ok", "suspicious", "wrong").index,
    )
    if severity == "ok":
        return Finding("reports", "ok", figure, "Rounds end with the reports they need.")
    return Finding(
        "reports",
        severity,
        figure,
        "Rounds end with too few reports, or with none.",
        "Ask more clients, wait longer for them, or let a round be closed with fewer reports.",
        {"federation.min_reports": 1},
        ("batch_noise", "step_size", "schedule", "directions"),
    )


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0%}"


def drift(figures: Figures) -> Finding:
    """Do clients' gradients differ by more than a round's cohort averages out?"""
    found = figures.measured.drift if figures.measured else None
    if found is None:
        why = figures.why_not or "it takes two clients with two examples each"
        return unknown("drift", why)
    left = _left(figures, found)
    figure = (
        f"h² = {found.ratio:.2g} |g|² between clients, a round's cohort leaves {left:.2g}"
        + _labels(found)
    )
    severity = graded(left, DIFFERS, DRIFTS)
    if severity == "ok" or figures.learned >= LEARNS:
        return Finding("drift", "ok", figure, "A round's clients stand for all of them.")
    return Finding(
        "drift",
        severity,
        figure,
        "A round's clients do not stand for all: their data differ more than averaging mends.",
        "Ask more clients a round, and let each take one local step.",
        {"federation.participation": 1.0}
        | ({"probe.num_local_steps": 1} if figures.settings.probe.num_local_steps > 1 else {}),
        ("batch_noise", "step_size", "schedule"),
    )


def _left(figures: Figures, found: Drift) -> float:
    """Return h²/|g|² after averaging a cohort drawn without replacement; all of it if H > 1."""
    f = figures.settings.federation
    asked = cohort_size(f.clients, f.participation, f.cohort)
    if figures.settings.probe.num_local_steps > 1:
        return found.ratio
    return found.ratio / asked * (f.clients - asked) / max(1, f.clients - 1)


def _labels(found: Drift) -> str:
    if math.isnan(found.labels):
        return ""
    return f"; {found.labels:.2g} of {found.classes} labels a client"


def hostile(figures: Figures) -> Finding | None:
    """Are there lies that nothing bounds, or answers that were refused?"""
    settings, newest = figures.settings, figures.rows[-1]
    refused = newest.get("refused") or newest.get("faults") or {}
    count = sum(n for n in refused.values() if isinstance(n, int))
    share, rule = settings.hostile.share, settings.robust.rule
    figure = f"{share:.0%} of the clients lie (simulated), rule {rule}, {count:,} answers refused"
    if share and rule == "sum":
        return Finding(
            "hostile",
            "wrong",
            figure,
            "Clients lie, and a plain sum takes whatever they send.",
            "Take a robust rule.",
            {
                "robust.rule": "trimmed_mean",
                "robust.share": float(f"{min(0.45, share + 0.05):.2g}"),
            },
            ("batch_noise", "step_size", "clipping", "quantisation", "finite", "schedule"),
        )
    if share > settings.robust.share and rule not in ("sum", "median"):
        return Finding(
            "hostile",
            "suspicious",
            figure,
            f"More clients lie than the rule assumes ({settings.robust.share:.0%}).",
            "Assume as many as there may be.",
            {"robust.share": float(f"{min(0.49, share + 0.05):.2g}")},
        )
    if count > len(figures.rows):
        reasons = ", ".join(f"{name} {n:,}" for name, n in sorted(refused.items()))
        return Finding(
            "hostile",
            "suspicious",
            f"{figure}: {reasons}",
            "Many answers are refused.",
            "See who sends them: old software, another model, a clock, or malice.",
        )
    return Finding("hostile", "ok", figure, "Nothing hostile is known of.")
