"""Which figures a row holds, how they are grouped, and which of them are counters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from baffle.monitor.base import Row

# GAUGE: the newest value is what matters. EACH: a count of this round alone.
# TOTAL: a running total since the run (or its server process) began.
GAUGE, EACH, TOTAL = "gauge", "each", "total"
OTHER = "other"
LARGEST = 1e300  # no figure is; an integer beyond has no float
MAX_REASONS, MAX_REASON_LENGTH = 50, 60


@dataclass(frozen=True)
class Figure:
    """A figure of a row.

    Args:
        group: what comes before the slash of its tag.
        kind: GAUGE, EACH or TOTAL.
        help: one line, with the unit.
    """

    group: str
    kind: str
    help: str


FIGURES = {
    "loss": Figure("loss", GAUGE, "Mean training loss that the round's clients reported."),
    "test_loss": Figure("loss", GAUGE, "Loss of the averaged weights on the test set."),
    "client_loss": Figure("loss", GAUGE, "Mean loss on the clients' held-out examples."),
    "test_accuracy": Figure("accuracy", GAUGE, "Share of the test set that is right, 0 to 1."),
    "client_accuracy": Figure("accuracy", GAUGE, "The same on the clients' held-out examples."),
    "expected_cosine": Figure("estimate", GAUGE, "Expected cosine of the estimate, 0 to 1."),
    "signal_to_noise": Figure("estimate", GAUGE, "Signal-to-noise ratio of the derivatives."),
    "derivative_rms": Figure("estimate", GAUGE, "Root mean square of the derivatives."),
    "even_to_odd": Figure("estimate", GAUGE, "Even part of the loss differences over the odd one."),
    "clips": Figure("estimate", EACH, "Derivatives clipped."),
    "nonfinite": Figure("estimate", EACH, "Directions left out since a loss was not finite."),
    "num_directions": Figure("plan", GAUGE, "Directions a local step."),
    "radius": Figure("plan", GAUGE, "Probing radius."),
    "quantisation_step": Figure("plan", GAUGE, "Quantisation step."),
    "step_size": Figure("plan", GAUGE, "Step size."),
    "groups": Figure("plan", GAUGE, "Groups that the round's clients were dealt to."),
    "epsilon": Figure("privacy", GAUGE, "ε spent by the client that took part most often."),
    "delta": Figure("privacy", GAUGE, "δ of the same promise."),
    "smallest_sum": Figure("privacy", GAUGE, "Fewest clients in a sum that the server saw."),
    "asked": Figure("fleet", EACH, "Clients asked."),
    "reports": Figure("fleet", EACH, "Reports that were summed."),
    "late": Figure("fleet", EACH, "Reports that came after their round had closed."),
    "missing": Figure("fleet", EACH, "Clients asked that had not reported by the deadline."),
    "joined": Figure("fleet", EACH, "Clients that joined."),
    "abandoned": Figure("fleet", EACH, "Rounds abandoned for want of reports."),
    "deadline_hit": Figure("fleet", EACH, "Rounds that ended at their deadline."),
    "refused": Figure("refused", TOTAL, "Messages refused, by reason."),
    "faults": Figure("faults", TOTAL, "Faults, by reason."),
    "bytes_up": Figure("traffic", TOTAL, "Bytes from clients, as encoded."),
    "bytes_down": Figure("traffic", TOTAL, "Bytes to clients, as encoded."),
    "catch_up_bytes": Figure("traffic", TOTAL, "Bytes of tails and snapshots to clients."),
    "probes": Figure("cost", TOTAL, "Losses that clients evaluated."),
    "example_evaluations": Figure("cost", TOTAL, "Losses evaluated times the examples of each."),
    "seconds": Figure("cost", TOTAL, "Seconds of all rounds, evaluations not included."),
    "round_seconds": Figure("cost", GAUGE, "Seconds of the round."),
}


def number(value: Any) -> float | None:
    """Return a finite number, None for anything else; True counts as 1.

    Example:
        >>> number(True), number(float("nan")), number("3")
        (1.0, None, None)
    """
    known = isinstance(value, (int, float)) and abs(value) < LARGEST  # nor nan
    return float(value) if known else None


def reasons(value: Any) -> dict[str, float]:
    """Return counts by reason, in names that every tool takes; beyond the bound, as "other".

    Args:
        value: a mapping of reason to count; what is no number is left out.

    Example:
        >>> reasons({"late": 2, "not a\\nword": 1})
        {'late': 2.0, 'not_a_word': 1.0}
    """
    counts: dict[str, float] = {}
    for reason, count in value.items() if isinstance(value, Mapping) else ():
        known = number(count)
        if known is None:
            continue
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", str(reason))[:MAX_REASON_LENGTH] or OTHER
        name = name if name in counts or len(counts) < MAX_REASONS else OTHER
        counts[name] = counts.get(name, 0.0) + known
    return counts


def scalars(row: Row) -> Iterator[tuple[str, float]]:
    """Yield a row's finite numbers as (group/name, value), the round itself left out.

    Args:
        row: of metrics.jsonl; figures that are not in FIGURES come as "other/name".

    Example:
        >>> list(scalars({"round": 1, "loss": 0.5, "refused": {"late": 2}, "digest": "ab"}))
        [('loss/loss', 0.5), ('refused/late', 2.0)]
    """
    for name, value in row.items():
        group = FIGURES[name].group if name in FIGURES else OTHER
        known = number(value)
        if isinstance(value, Mapping):
            prefix = group if name in FIGURES else f"{OTHER}/{name}"
            yield from ((f"{prefix}/{reason}", n) for reason, n in reasons(value).items())
        elif known is not None and name != "round":
            yield f"{group}/{name}", known


def flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested settings with dotted names.

    Example:
        >>> flat({"rounds": 3, "probe": {"batch": 8}})
        {'rounds': 3, 'probe.batch': 8}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        dotted = f"{before}{name}"
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{dotted}.")
        else:
            found[dotted] = value
    return found
