"""Is there a signal in the loss differences: radius, precision of the evaluation, finite losses."""

from __future__ import annotations

import math

from baffle.algorithms.policy import START_RADIUS_EXPONENT
from baffle.drivers.diagnose.figures import Fidelity, Figures
from baffle.drivers.diagnose.finding import Finding, Severity, graded, unknown

FEW_ROUNDINGS, SOME_ROUNDINGS = 8, 64  # loss differences over float32's rounding of the loss
CURVED, BENT = 1.0, 0.1  # even over odd energy; the automatic radius keeps 1/4096
POOR, FAIR = 0.5, 0.8  # squared correlation with the reference
HALF = ("float16", "bfloat16")
FOLLOWS_NOISE = ("clipping", "batch_noise", "step_size", "schedule", "dead")


def finite(figures: Figures) -> Finding:
    """Are losses and weights finite?"""
    share = figures.recent(lambda r: r.nonfinite)
    finite_weights = figures.travel.finite
    figure = f"{share:.1%} of directions left out" + (
        "" if finite_weights else "; weights not finite"
    )
    severity = "wrong" if not finite_weights else graded(share, 1e-6, 0.1)
    if severity == "ok":
        return Finding("finite", "ok", figure, "Losses and weights are finite.")
    return Finding(
        "finite",
        severity,
        figure,
        "Losses are not finite where they are probed.",
        "Take a smaller step size, and look for a division or a logarithm of 0 in model and loss.",
        _smaller_step(figures),
        ("batch_noise", "schedule", "dead", "radius", "directions"),
    )


def _smaller_step(figures: Figures) -> dict[str, float]:
    top = max((row.get("step_size") or 0.0 for row in figures.rows), default=0.0)
    return {"update.step_size": float(f"{top / 10:.2g}")} if top else {}


def precision(figures: Figures) -> Finding | None:
    """Does evaluating in half precision leave a signal?"""
    if figures.settings.engine.precision not in HALF and not set(figures.dtypes) & set(HALF):
        return Finding("precision", "ok", "float32", "Losses are evaluated in full precision.")
    measured = figures.measured
    if measured is None:
        return Finding(
            "precision",
            "suspicious",
            "half precision, effect not measured",
            "Losses are evaluated in half precision, which may round small differences away.",
            "Evaluate in float32 and compare.",
            {"engine.precision": "own"},
            ("radius", *FOLLOWS_NOISE),
        )
    return _half(figures, measured.before or measured.now, measured.now)


def _half(figures: Figures, before: Fidelity, now: Fidelity) -> Finding:
    worst = min(before, now, key=lambda f: f.own)
    figure = f"signal {worst.own:.2f} of a derivative, {worst.full:.2f} in float32"
    severity = graded(1 - worst.own, 1 - FAIR, 1 - POOR)
    lost = worst.full - worst.own > 0.1 or worst.agreement < FAIR
    if severity == "ok" or not (lost or figures.settings.probe.radius == "auto"):
        return Finding("precision", "ok", figure, "It is not half precision that loses a signal.")
    trained_so = bool(set(figures.dtypes) & set(HALF))
    hint = "Make the model float32" if trained_so else "Evaluate in float32"
    if worst.agreement >= FAIR:
        hint += f", or set the radius to 2^{worst.best}, where half precision still tells"
    return Finding(
        "precision",
        severity,
        figure,
        "Half precision rounds the loss differences away, so derivatives are mostly noise.",
        f"{hint}.",
        {} if trained_so else {"engine.precision": "own"},
        ("radius", *FOLLOWS_NOISE),
    )


def radius(figures: Figures) -> Finding:
    """Is the radius between the loss's rounding and its curvature?"""
    if figures.measured is not None:
        return _by_measurement(figures)
    return _by_energies(figures)


def _by_measurement(figures: Figures) -> Finding:
    measured = figures.measured
    assert measured is not None
    now, before = measured.now, measured.before or measured.now
    # Bad only where the weights went: that is what happened to them, and not the radius.
    judged = now if now.own >= before.own or before.own < FAIR else before
    exponent = _exponent(figures)
    severity = graded(1 - judged.own, 1 - FAIR, 1 - POOR)
    if judged is before and severity == "ok" and now.own < POOR and measured.before is not None:
        severity, judged = "suspicious", now
    figure = f"2^{exponent}: signal {judged.own:.2f} of a derivative; best at 2^{judged.best}"
    if severity == "ok":
        return Finding("radius", "ok", figure, "Loss differences follow the gradient.")
    if judged.agreement < POOR:
        return Finding(
            "radius",
            "suspicious",
            figure,
            "At no radius do loss differences agree: the loss is flat, or jumps.",
            "Look at dead layers, and at random numbers or roundings within the model.",
        )
    # A radius at which central differences are right is not too small, whatever one-sided ones say.
    large = exponent > judged.best or judged.central >= FAIR
    better = judged.best if exponent > judged.best or not large else exponent - 4
    return _verdict(figures, severity, figure, large, better)


def _exponent(figures: Figures) -> int:
    return round(math.log2(figures.rounds[-1].radius))


def _verdict(
    figures: Figures, severity: Severity, figure: str, large: bool, better: int
) -> Finding:
    word = "large: curvature" if large else "small: rounding of the losses"
    change, value = _better(figures, better)
    return Finding(
        "radius",
        severity,
        figure,
        f"The radius is too {word} decides the differences.",
        change,
        {} if value is None else {"probe.radius": value},
        FOLLOWS_NOISE,
    )


def _better(figures: Figures, exponent: int) -> tuple[str, float | str | None]:
    """Return what to do about a radius in words, and as a setting if a command may say so."""
    if figures.private:  # with privacy no radius is measured: "auto" is a constant there
        told = (
            " That was found on the data outside of the privacy budget: a run that uses it promises"
            " less than its ε. Take what public data of the kind want."
        )
        return f"Set it to about 2^{exponent}.{told * figures.outside_privacy}", None
    if figures.settings.probe.radius == "auto":
        return f"Set it to about 2^{exponent}.", 2.0**exponent
    return f"Let it be measured, or set it to about 2^{exponent}.", "auto"


def _by_energies(figures: Figures) -> Finding:
    """Judge by what pairs and loss differences in the ledger tell."""
    roundings, ratio = (
        figures.recent(lambda r: r.roundings),
        figures.recent(lambda r: r.even_to_odd if r.one_sided else r.even_to_odd / 4),
    )
    exponent = _exponent(figures)
    if not figures.private and not figures.recent(lambda r: r.rms):
        nothing = f"2^{exponent}: no loss differs"
        return _verdict(figures, "wrong", nothing, False, START_RADIUS_EXPONENT)
    if math.isnan(roundings) and math.isnan(ratio):
        return unknown("radius", "no energies are sent, and model and data are not here")
    figure = f"2^{exponent}: {_known(roundings)} roundings of the loss, even/odd {_known(ratio)}"
    if roundings < SOME_ROUNDINGS:
        bad: Severity = "wrong" if roundings < FEW_ROUNDINGS else "suspicious"
        better = exponent + round(math.log2(256 / roundings))
        return _verdict(figures, bad, figure, False, better)
    severity = graded(ratio, BENT, CURVED)
    if severity != "ok":
        better = exponent - round(math.log2(ratio * 4096) / 2)
        return _verdict(figures, severity, figure, True, better)
    return Finding("radius", "ok", figure, "Differences stand above rounding and curvature.")


def _known(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g}"
