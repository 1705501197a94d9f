"""The words on a picture: what all its runs share, and what tells them apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from baffle.report.summary import Summary
from baffle.report.units import bytes_text, count_text, percent_text, seconds_text

MAX_LABEL = 20
FACTS: tuple[tuple[Callable[[Summary], str], str], ...] = (
    (lambda s: s.algorithm, "algorithms"),
    (lambda s: f"{s.model} on {s.data}", "tasks"),
    (lambda s: f"{s.clients:,} clients", "numbers of clients"),
    (lambda s: f"key {s.key}", "keys"),
)


def title(summaries: Sequence[Summary]) -> str:
    """Return algorithm, task, clients, key and final accuracy, in one line.

    Example:
        >>> title([summarise(Path("runs/a"))])  # doctest: +SKIP
        'baffle · mlp on digits · 10 clients · key 0 · 96.3 % test accuracy'
    """
    parts = [_fact([fact(s) for s in summaries], plural) for fact, plural in FACTS]
    reached = _reached([s.test_accuracy for s in summaries])
    return " · ".join(parts + ([f"{reached} test accuracy"] if reached else []))


def _fact(values: Sequence[str], plural: str) -> str:
    distinct = list(dict.fromkeys(values))
    if len(distinct) > 2:
        return f"{len(distinct)} {plural}"
    return " and ".join(distinct)


def _reached(accuracies: Sequence[float]) -> str:
    known = [a for a in accuracies if math.isfinite(a)]
    if not known:
        return ""
    low, high = percent_text(min(known)), percent_text(max(known))
    return low if low == high else f"{low.removesuffix(' %')} to {high}"


def subtitle(summaries: Sequence[Summary]) -> str:
    """Return what training took, in one line."""
    parts = [f"{len(summaries)} runs"] if len(summaries) > 1 else []
    if len(dimensions := {s.dimension for s in summaries}) == 1 and None not in dimensions:
        parts.append(f"{dimensions.pop():,} trained entries")
    if len(sizes := {s.bytes_up_per_report for s in summaries}) == 1:
        parts.append(f"{bytes_text(sizes.pop())} a report")
    return " · ".join(parts + _costs(summaries) * (len(summaries) == 1))


def _costs(summaries: Sequence[Summary]) -> list[str]:
    s = summaries[0]
    differentiated = s.gradient_examples
    how = f"{count_text(differentiated)} differentiated" if differentiated else "forward only"
    return [
        f"{count_text(s.example_evaluations)} example evaluations, {how}",
        f"{bytes_text(s.bytes_up)} up, {bytes_text(s.bytes_down)} down",
        seconds_text(s.seconds),
    ]


def labels_of(summaries: Sequence[Summary]) -> list[str]:
    """Return a short name a run: what tells it from the others, else its folder's name.

    A single run needs none: the title says it all.
    """
    if len(summaries) == 1:
        return [""]
    telling = [fact for fact, _ in FACTS if len({fact(s) for s in summaries}) > 1]
    labels = [" ".join(fact(s) for fact in telling) for s in summaries]
    if len(set(labels)) < len(labels):
        labels = [s.run_dir.absolute().name for s in summaries]
    return labels


def shortened(label: str) -> str:
    """Return a label that fits beside a curve.

    Example:
        >>> shortened("20261124-223102-baffle-key0")
        '20261124-223102-baf…'
    """
    return label if len(label) <= MAX_LABEL else label[: MAX_LABEL - 1] + "…"
