"""How much of a gradient the rounds find: directions against d, batches, noise for privacy."""

from __future__ import annotations

import math

from baffle.drivers.diagnose.figures import Figures, middle
from baffle.drivers.diagnose.finding import Finding, Severity, unknown

TOO_LITTLE, LITTLE = 1.0, 4.0  # exact gradient steps that all planned rounds are worth
WANTED = 16.0
LEARNS, LEARNT = 0.3, 0.8  # share of the first loss that is gone, whatever d says


def directions(figures: Figures) -> Finding:
    """Are there enough directions for this many parameters and rounds?"""
    worth, d = figures.worth(noise=False), figures.dimension
    if math.isnan(worth):
        return unknown("directions", "no round is stored")
    rounds = max(1, figures.settings.rounds)
    k = round(figures.recent(lambda r: r.directions))
    figure = f"K = {k:,} of d = {d:,}: all rounds are worth {worth:.2g} exact gradient steps"
    severity = _severity(worth, figures.learned)
    if severity == "ok":
        return Finding("directions", "ok", figure, "Directions and rounds are enough.")
    return Finding(
        "directions",
        severity,
        figure,
        "There are too few directions: estimates hardly point along the gradient.",
        "Take more directions or more rounds, or a smaller model.",
        {"probe.num_directions": _enough(k, worth, rounds, d)} | _step_measured(figures),
        ("step_size", "schedule", "batch_noise"),
    )


def _step_measured(figures: Figures) -> dict[str, str]:
    """Return that the step size is measured anew, which a run with privacy must not do."""
    return {} if figures.private else {"update.step_size": "auto"}


def _severity(worth: float, learned: float) -> Severity:
    if worth >= LITTLE or learned >= LEARNT:
        return "ok"
    return "wrong" if worth < TOO_LITTLE and learned < LEARNS else "suspicious"


def _enough(k: int, worth: float, rounds: int, d: int) -> int:
    """Return the power of two of directions with which these rounds are worth WANTED steps."""
    share = min(0.5, WANTED / rounds)
    needed = max(k * min(WANTED / worth, 2.0), share / (1 - share) * d)
    return int(2 ** math.ceil(math.log2(needed)))


def batch_noise(figures: Figures) -> Finding | None:
    """Do the clients' batches (and how they differ) drown the gradient?"""
    if figures.private:
        return None
    ratio = middle(r for row in figures.rows if (r := row.get("signal_to_noise")) is not None)
    if math.isnan(ratio):
        return unknown("batch_noise", "it takes two reports a round to tell")
    worth, exact = figures.worth(noise=True), figures.worth(noise=False)
    figure = (
        f"|g|² is {ratio:.2g} of the variance that batches leave; with it all rounds are worth "
        f"{worth:.2g} gradient steps, without {exact:.2g}"
    )
    severity = _severity(worth, figures.learned)
    if severity == "ok" or worth > exact / 2:
        return Finding("batch_noise", "ok", figure, "Batches are large enough.")
    batch = figures.settings.probe.batch
    return Finding(
        "batch_noise",
        severity,
        figure,
        "What batches and clients differ by drowns the gradient.",
        "Let clients probe on more examples, or ask more of them a round.",
        {"probe.batch": 4 * batch} if batch else {"federation.participation": 1.0},
        ("step_size", "schedule"),
    )


def privacy(figures: Figures) -> Finding | None:
    """Does the noise for privacy drown the gradient?"""
    if not figures.private:
        return None
    ratio = middle(r for row in figures.rows if (r := row.get("signal_to_noise")) is not None)
    worth = figures.worth(noise=True)
    p = figures.settings.privacy
    figure = (
        f"ε = {p.epsilon:g}: signal {ratio:.2g} of the noise; all rounds are worth {worth:.2g} "
        "gradient steps"
    )
    severity = _severity(worth, figures.learned)
    if severity == "ok":
        return Finding("privacy", "ok", figure, "The sums still tell of the gradient.")
    return Finding(
        "privacy",
        severity,
        figure,
        "The noise for privacy drowns the gradient.",
        "Have more clients in a sum, fewer rounds or directions, or a larger ε: noise a client "
        "does not fall with their number, and the signal grows with it.",
        {"federation.participation": 1.0},
        ("step_size", "schedule", "directions"),
    )
