"""A comparison in a few sentences that a newcomer understands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from baffle.report.units import bytes_text, percent_text

if TYPE_CHECKING:
    from baffle.report.compared import Compared, Entry

AT = {
    "rounds": "after as many rounds",
    "evaluations": "at as many example evaluations",
    "bytes": "at as many bytes a client",
    "seconds": "in as many seconds",
    "memory": "in as much memory",
}


LEAST_KEYS = 3


def verdict(found: Compared) -> str:
    """Return who comes first, how surely, and what back-propagation needs for what it reaches."""
    ranked = [e for e in found.entries if e.spread]
    forward = [e for e in ranked if not e.differentiates]
    derived = [e for e in ranked if e.differentiates]
    sentences = []
    if forward:
        sentences.append(_first(forward, found.comparison.equal))
    if derived:
        sentences.append(_derivatives(derived[0], forward[0] if forward else None))
    sentences += [f"{e.name}: {e.note}." for e in found.entries if e.note]
    return " ".join(sentences) or "Nothing to compare yet."


def _first(forward: Sequence[Entry], equal: str) -> str:
    best, rest = forward[0], forward[1:]
    reached = f"{best.name} reaches {_percent(best)}"
    if not rest:
        return f"{reached} by forward passes alone."
    second = rest[0]
    shared = sorted(best.accuracy.keys() & second.accuracy.keys())
    ahead = sum(best.accuracy[k] > second.accuracy[k] for k in shared)
    return (
        f"By forward passes alone {reached} {AT[equal]}, and {second.name}, the next of "
        f"{len(forward)}, {_percent(second)}; {best.name} is ahead with {ahead} of {len(shared)} "
        f"keys{_luck(ahead, len(shared))}."
    )


def _luck(ahead: int, keys: int) -> str:
    if ahead < keys:
        return ", which may be luck"
    return "" if keys >= LEAST_KEYS else ", and as few keys prove little"


def _percent(entry: Entry) -> str:
    assert entry.spread is not None
    return percent_text(entry.spread.median)


def _derivatives(best: Entry, forward: Entry | None) -> str:
    """Return what derivatives reach, and what they ask of a client."""
    costs = [
        ("sends", bytes_text(best.costs["bytes_up"]), forward and forward.costs["bytes_up"]),
        ("holds", bytes_text(_work(best)), forward and _work(forward)),
    ]
    sent, held = (
        f"{verb} {own}" + (f" ({forward.name} {bytes_text(other)})" if forward and other else "")
        for verb, own, other in costs
    )
    text = (
        f"With derivatives {best.name} reaches {_percent(best)}: a client then needs automatic "
        f"differentiation, and {sent}"
    )
    known = _work(best) is not None
    return (
        f"{text}; for a round it {held} beside libraries, model and data." if known else text + "."
    )


def _work(entry: Entry) -> float | None:
    """Return the bytes that a round takes beside what was there before it."""
    return entry.peak - entry.idle if entry.peak and entry.idle else None
