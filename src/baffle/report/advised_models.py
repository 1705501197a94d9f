"""A choice among models as people and machines read it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from baffle.report.units import UNKNOWN, count_text, percent_text, seconds_text

if TYPE_CHECKING:
    from baffle.bench.advise.choosing import Choice, Tried

HEADS = ("model", "weights", "MACs", "loss", "evaluations", "here", "MACs a client", "")
KEY = (
    "loss: of training, after the best run; MACs: multiply-adds of one example's forward pass, and "
    "of all runs a client"
)
LIMITS = (
    "A short run prefers models that start quickly: one that is behind here may end ahead of it "
    "after a long run. Nothing was tested, so it says nothing of new examples."
)


def rows(choice: Choice) -> list[list[str]]:
    """Return the table: a row a model, in the order of their losses; then what was not trained."""
    out = [tried for tried in choice.tried if tried.learned is None]
    return [_row(tried, choice) for tried in (*choice.ranked, *out)]


def _row(tried: Tried, choice: Choice) -> list[str]:
    counts = [f"{tried.weights:,}", count_text(tried.multiply_adds)] if tried.weights else []
    counts = counts or [UNKNOWN] * 2
    found = tried.learned
    if found is None:
        return [tried.model, *counts, *[UNKNOWN] * 4, "not tried" if tried.too_large else "failed"]
    return [
        tried.model,
        *counts,
        f"{found.loss:.3f}",
        f"{len(found.losses)} × {count_text(found.evaluations)}",
        seconds_text(tried.seconds),
        count_text(tried.client_multiply_adds(choice.clients)),
        "take this" if tried is choice.best else "",
    ]


def reasons(choice: Choice) -> list[str]:
    """Return why models are out, a line each."""
    return [f"{tried.model}: {tried.why_not}" for tried in choice.tried if tried.why_not]


def sentence(choice: Choice) -> str:
    """Return the choice in a sentence."""
    best = choice.best
    if best is None:
        return "None of these models could be trained."
    if len(choice.ranked) == 1:
        return f"Take {best.model}: no other could be trained."
    others = [tried.model for tried in choice.alike if tried is not best]
    if others:
        return (
            f"Take {best.model}: of {' and '.join([best.model, *others])}, whose losses are alike, "
            f"it needs the fewest multiply-adds, {count_text(best.multiply_adds)} an example."
        )
    return f"Take {best.model}: at equal evaluations it has learned most."


def sureness(choice: Choice) -> str:
    """Return how far to trust it, in a sentence; "" where nothing was compared."""
    from baffle.bench.advise.choosing import NEAR, SPREAD, SURE

    if choice.learned_little:
        return (
            f"Not sure: none has learned much, where guessing loses {choice.guessing:.3f}. "
            "Give it more evaluations."
        )
    if len(choice.ranked) < 2:
        return ""
    if math.isinf(choice.gap):
        return (
            f"Not sure which of them learns more: their losses are within {NEAR:.0%} of the least."
        )
    behind = choice.ranked[len(choice.alike)]
    said = "Sure, for runs as short as these" if choice.gap > SURE else "Not sure"
    if len(choice.alike) > 1:
        said = "Not sure which of them learns more"
    return (
        f"{said}: {behind.model} comes next, with a loss {percent_text(choice.gap)} above "
        f"the least, and another run key moves such a gap by some {100 * SPREAD:.0f} points."
    )


def basis(choice: Choice) -> str:
    """Return what the runs were, and what they do not say."""
    found = next((tried.learned for tried in choice.ranked if tried.learned), None)
    if found is None:
        return ""
    s = found.schedule
    return (
        f"Each run is {s.rounds} rounds of {s.units} directions on {s.batch} examples a client, "
        f"picked among {s.candidates} (probe.candidates = auto), IID; a model has one at each of "
        f"several step sizes, and the best counts. {LIMITS}"
    )


def as_json(choice: Choice) -> dict[str, Any]:
    """Return the choice for machines; losses are training losses."""
    best = choice.best
    return {
        "model": best.model if best else None,
        "chosen": sentence(choice),
        "sure": sureness(choice),
        "basis": basis(choice),
        "gap": choice.gap,
        "guessing": choice.guessing,
        "models": [_model(tried, choice) for tried in choice.tried],
    }


def _model(tried: Tried, choice: Choice) -> dict[str, Any]:
    found = tried.learned
    return {
        "model": tried.model,
        "weights": tried.weights or None,
        "multiply_adds": tried.multiply_adds or None,
        "loss": found.loss if found else None,
        "losses": [{"step_size": k, "loss": v} for k, v in found.losses.items()] if found else [],
        "step_size": found.step_size if found else None,
        "rounds": found.schedule.rounds if found else None,
        "directions": found.schedule.units if found else None,
        "batch": found.schedule.batch if found else None,
        "evaluations": found.evaluations if found else None,
        "all_evaluations": found.all_evaluations if found else None,
        "seconds": tried.seconds,
        "client_multiply_adds": tried.client_multiply_adds(choice.clients),
        "why_not": tried.why_not,
    }
