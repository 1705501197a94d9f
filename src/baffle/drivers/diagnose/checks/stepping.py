"""How far a round moves the weights: the step size and its schedule."""

from __future__ import annotations

import math

from baffle.drivers.diagnose.figures import Figures
from baffle.drivers.diagnose.finding import Finding, Severity, unknown

STILL, SLOW = 0.05, 0.15  # share of the weights' length that all rounds together moved them
LEARNED, LITTLE = 0.5, 0.05  # share of the first loss that is gone
ROSE = -0.02
JUMPED = 2.0  # largest loss over the first
BOUNCING = 0.8  # loss of the mean of the last states over the last one's
FEW_ROUNDS = 8
ENDED = 0.02  # of the schedule's top


def step_size(figures: Figures) -> Finding:
    """Does the loss rise, bounce, or hardly move?"""
    if len(figures.losses) < FEW_ROUNDS:
        return unknown("step_size", f"fewer than {FEW_ROUNDS} rounds are stored")
    travel, learned = figures.travel, figures.learned
    loss = f"loss {figures.first_loss:.3g} → {figures.last_loss:.3g}"
    figure = f"{loss}; weights moved {travel.moved:.2g} of their length"
    if learned < ROSE or not travel.finite:
        return _large("wrong", figure, figures, "The loss rises: steps are too long.")
    if figures.peak > JUMPED and learned < LEARNED:
        jumped = f"{figure}; at its highest {figures.peak:.2g} of the first"
        return _large("suspicious", jumped, figures, "The loss jumped: steps are too long.")
    if learned < LITTLE and travel.moved < STILL:
        return _small("wrong", figure, figures)
    averaged = figures.measured.averaged if figures.measured else math.nan
    if averaged < BOUNCING and learned < LEARNED:
        bounced = f"{figure}; mean of the last states: {averaged:.2f} of the loss"
        return _large("suspicious", bounced, figures, "The weights bounce about a better place.")
    if learned < LEARNED and travel.moved < SLOW:
        return _small("suspicious", figure, figures)
    if learned < LITTLE and travel.grown > 2:
        return _large("suspicious", figure, figures, "The weights go far and the loss stays.")
    return Finding("step_size", "ok", figure, "The loss falls, or something else keeps it.")


def _large(severity: Severity, figure: str, figures: Figures, verdict: str) -> Finding:
    return Finding(
        "step_size",
        severity,
        figure,
        verdict,
        "Let the step size be measured, or take a tenth of it.",
        _changed(figures, 0.1),
        ("finite", "clipping", "quantisation", "dead", "batch_noise", "schedule"),
    )


def _small(severity: Severity, figure: str, figures: Figures) -> Finding:
    return Finding(
        "step_size",
        severity,
        figure,
        "The weights hardly move: steps are too short.",
        "Let the step size be measured, or take ten times as much.",
        _changed(figures, 10.0),
        ("schedule", "batch_noise"),
    )


def _changed(figures: Figures, factor: float) -> dict[str, object]:
    """Return "auto", or a number where a privacy run must not measure."""
    if not figures.private:
        return {"update.step_size": "auto"}
    top = max((row.get("step_size") or 0.0 for row in figures.rows), default=0.0)
    return {"update.step_size": float(f"{top * factor:.2g}")}


def schedule(figures: Figures) -> Finding:
    """Did the schedule end while the loss was still falling?"""
    steps = [row.get("step_size") or 0.0 for row in figures.rows]
    top = max(steps, default=0.0)
    done, planned = figures.rows[-1]["round"], figures.settings.rounds
    figure = f"round {done:,} of {planned:,}, step size {steps[-1]:.2g} of {top:.2g}"
    if done < planned or not top or steps[-1] > ENDED * top:
        return Finding("schedule", "ok", figure, "The schedule has not ended the run.")
    falling = _falling(figures.losses)
    if figures.learned < LEARNED and falling > 0.1:
        return Finding(
            "schedule",
            "suspicious",
            f"{figure}; loss fell by {falling:.0%} in the second half",
            "The schedule ended while the loss was still falling.",
            "Plan more rounds.",
            {"rounds": 4 * planned},
        )
    return Finding("schedule", "ok", figure, "The loss had settled when the schedule ended.")


def _falling(losses: list[float]) -> float:
    """Return by which share the loss fell in the second half of the rounds."""
    half, tenth = len(losses) // 2, max(1, len(losses) // 10)
    then = sorted(losses[half : half + tenth])[tenth // 2] if losses else math.nan
    now = sorted(losses[-tenth:])[tenth // 2] if losses else math.nan
    return 1 - now / then if then and math.isfinite(then) else 0.0
