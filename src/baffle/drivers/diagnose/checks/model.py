"""What of the model stands in the way: batch norm, parts that do nothing, what cannot be probed."""

from __future__ import annotations

from baffle.drivers.diagnose.figures import Figures, Norm
from baffle.drivers.diagnose.finding import Finding, Severity, graded, unknown

OFF, SLIGHTLY_OFF = 16.0, 4.0  # variance of the examples over the running one, or the inverse
SHIFTED = 2.0  # running deviations
SILENT, SOME_SILENT = 0.5, 0.01  # share of the trained entries
DEAD_UNITS, MANY_UNITS = 0.9, 0.5
LEARNS = 0.3
AFTER = ("radius", "dead", "step_size", "batch_noise", "schedule", "clipping")
CONVERT = "Replace it by GroupNorm: `baffle convert`, or baffle.models.convert.convert(model)."


def batch_norm(figures: Figures) -> Finding:
    """Do frozen batch statistics fit the examples?"""
    if figures.measured is None:
        names = [n for n in figures.buffers if n.endswith("running_var")]
        if not names:
            return Finding("batch_norm", "ok", "no running statistics", "There is no batch norm.")
        found: Severity = "suspicious" if figures.learned < LEARNS else "ok"
        return Finding(
            "batch_norm",
            found,
            f"{len(names)} with running statistics, not looked at",
            "Batch norm keeps frozen statistics, which may not be those of the clients' data.",
            CONVERT if found != "ok" else "",
            explains=AFTER,
        )
    norms = figures.measured.norms
    if not norms:
        return Finding("batch_norm", "ok", "none", "There is no batch norm.")
    worst = max(norms, key=_off)
    figure = (
        f"{worst.name}: examples' variance {worst.scale:.2g} of the running one, mean off by "
        f"{worst.shift:.2g} deviations" + (", fresh statistics" if worst.fresh else "")
    )
    severity = graded(_off(worst), SLIGHTLY_OFF, OFF)
    if severity == "wrong" and figures.learned >= LEARNS:
        severity = "suspicious"
    if severity == "ok":
        return Finding("batch_norm", "ok", figure, "The frozen statistics fit the examples.")
    what = (
        "Batch norm with fresh statistics normalises nothing, and probing never updates them."
        if worst.fresh
        else "Batch norm's frozen statistics are another data set's; probing never updates them."
    )
    return Finding("batch_norm", severity, figure, what, CONVERT, explains=AFTER)


def _off(norm: Norm) -> float:
    """Return by which factor statistics are off; a mean counts from two deviations on."""
    scale = max(norm.scale, 1e-12)
    return max(scale, 1 / scale, (norm.shift / SHIFTED) ** 2)


def dead(figures: Figures) -> Finding:
    """Are there tensors or units that do nothing?"""
    measured = figures.measured
    if measured is None:
        return unknown("dead", figures.why_not)
    share = sum(measured.silent.values()) / max(1, measured.entries)
    name, units = max(measured.units.items(), key=lambda item: item[1], default=("", 0.0))
    figure = f"{share:.1%} of the entries change no loss"
    figure += f"; {name}: {units:.0%} of its units never fire" if name else ""
    severity = max(
        graded(share, SOME_SILENT, SILENT),
        graded(units, MANY_UNITS, DEAD_UNITS),
        key=("ok", "suspicious", "wrong").index,
    )
    if severity == "ok":
        return Finding("dead", "ok", figure, "All of the model takes part.")
    which = ", ".join(list(measured.silent)[:3]) or name
    return Finding(
        "dead",
        severity,
        figure,
        f"Part of the model does nothing: {which}.",
        "Take an activation that does not die (Hardswish, SELU), smaller steps, or other initial "
        "weights.",
        explains=("batch_noise", "step_size", "schedule"),
    )


def probing(figures: Figures) -> Finding:
    """Can the model be probed at all?"""
    if figures.measured is None:
        return unknown("model", figures.why_not)
    errors = figures.measured.errors
    if not errors:
        return Finding(
            "model", "ok", "no errors", "Its loss is a function of weights and examples."
        )
    where, what = errors[0]
    return Finding(
        "model",
        "wrong",
        f"{len(errors)} errors, the first at {where}",
        what,
        "See `baffle check`.",
        explains=("radius", "finite", "precision", *AFTER[1:]),
    )
