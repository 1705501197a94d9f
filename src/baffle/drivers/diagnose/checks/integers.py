"""What becomes of derivatives on their way to integers: clipping and rounding."""

from __future__ import annotations

import math

from baffle.drivers.diagnose.figures import Figures, Round
from baffle.drivers.diagnose.finding import Finding, graded, unknown

CLIPPED, SOME_CLIPPED = 0.5, 0.1
NOISY, SOMEWHAT_NOISY = 16.0, 6.0  # variance of the rounding over the derivatives' mean square
NO_DIFFERENCE = 2.0**-20  # a radius below which losses in float32 may all be equal
NO_SIGNAL = 0.05  # squared correlation with the reference
AFTER = ("batch_noise", "step_size", "schedule")


def clipping(figures: Figures) -> Finding:
    """Is most of what is sent cut off?"""
    share = figures.recent(lambda r: r.clipped)
    what = "vectors" if figures.private else "derivatives"
    figure = f"{share:.1%} of {what} clipped"
    if figures.private:
        verdict = "With privacy the clip norm is steered so that about half are clipped."
        return Finding("clipping", "ok", figure, verdict)
    severity = graded(share, SOME_CLIPPED, CLIPPED)
    if severity == "ok":
        return Finding("clipping", "ok", figure, "Nearly all derivatives fit into their integers.")
    return Finding(
        "clipping",
        severity,
        figure,
        "Of a clipped derivative little more than its sign is left.",
        "Let the quantisation step be measured, or make it larger.",
        {"quantisation.step": "auto"},
        AFTER,
    )


def quantisation(figures: Figures) -> Finding | None:
    """Do integers keep the derivatives, or are they mostly rounding?"""
    if figures.private:
        return None
    if _nothing_to_round(figures):
        return unknown("quantisation", "no loss differs, so there is nothing to round")
    noise = figures.recent(rounding_noise)
    bits, zeros = figures.rounds[-1].bits, figures.recent(lambda r: r.zeros)
    figure = f"{bits} bits: rounding {noise:.2g} of the derivatives' square, {zeros:.0%} zeros"
    severity = graded(noise, SOMEWHAT_NOISY, NOISY)
    if severity == "ok":
        return Finding("quantisation", "ok", figure, "Integers are fine enough.")
    return Finding(
        "quantisation",
        severity,
        figure,
        "Integers are so coarse that rounding outweighs the derivatives.",
        "Let the quantisation step be measured, or make it smaller.",
        {"quantisation.step": "auto"},
        ("radius", *AFTER),  # whose measurements are rounded as well
    )


def _nothing_to_round(figures: Figures) -> bool:
    """Whether derivatives are 0 before they are rounded: by measurement, or by the radius alone."""
    if figures.recent(lambda r: r.rms):
        return False
    if figures.measured is None:
        return figures.rounds[-1].radius < NO_DIFFERENCE
    found = (figures.measured.before, figures.measured.now)
    return max(f.own for f in found if f is not None) < NO_SIGNAL


def rounding_noise(found: Round) -> float:
    """Return the variance of stochastic rounding over the mean square of what is rounded.

    Of x in steps it is E[f(1 - f)] with f the fraction of |x|: 1/6 for x of several steps, about
    E|x| below one; of a sign 1 - x² at a limit of 1 (values beyond it are exact).

    Example:
        >>> from dataclasses import replace
        >>> one = Round(1, 1.0, 1.0, 1.0, 16, True, True, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0, 0.1)
        >>> round(rounding_noise(one))
        80
    """
    rms = found.rms
    if not rms:
        return math.inf
    if found.bits == 1:
        return max(0.0, 1 - min(rms, 1.0) ** 2) / rms**2
    return min(1 / 6, math.sqrt(2 / math.pi) * rms) / rms**2
