"""What to know about a model before it is trained by probes.

    check_model(module, example)   -> list of Finding, errors first
    as_text(findings)              -> the same for people

Add a check by writing a function from a Subject to findings and adding its row to CHECKS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from baffle.models.checks import behaviour, layers, tensors
from baffle.models.checks.finding import SEVERITIES, Check, Finding, Severity, Subject
from baffle.models.checks.pruned import pruned
from baffle.models.checks.trial import example_rows

__all__ = [
    "CHECKS",
    "SEVERITIES",
    "Check",
    "Finding",
    "Severity",
    "Subject",
    "as_text",
    "check_model",
    "example_rows",
]

CHECKS: Mapping[str, Check] = {
    "uninitialised": tensors.uninitialised,
    "trainable": tensors.trainable,
    "kinds": tensors.kinds,
    "values": tensors.values,
    "memory": tensors.memory,
    "runs": behaviour.runs,
    "repeatable": behaviour.repeatable,
    "by_row": behaviour.by_row,
    "writes": behaviour.writes,
    "batch_norm": layers.batch_norm,
    "dropout": layers.dropout,
    "activations": layers.activations,
    "compiled": layers.compiled,
    "pruned": pruned,
    "footprint": tensors.footprint,
    "frozen": tensors.frozen,
    "tied": tensors.tied,
    "precision": tensors.precision,
    "parametrized": layers.parametrized,
    "slower": layers.slower,
    "unread": behaviour.unread,
    "size": tensors.size,
}


def check_model(module: nn.Module, example: Any = None, directions: int = 512) -> list[Finding]:
    """Everything the checks have to say about a model.

    Args:
        module: any module; it is left as it was, in the mode and with the buffers it had.
        example: inputs to run it on, in eval mode and without gradients: a tensor, a tuple of
            positional or a dict of named arguments, two rows or more on axis 0 (`example_rows`
            makes some). Without one, forward is not run, and functions that it calls are read off
            it where that is possible.
        directions: K, for the expected quality of an estimate.

    Returns:
        Findings, each once: errors, then warnings, then notes.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        >>> [(f.severity, f.where) for f in check_model(model)]
        [('warning', '1'), ('warning', '2'), ('note', 'all parameters')]
    """
    subject = Subject(module, example, directions)
    found = dict.fromkeys(finding for check in CHECKS.values() for finding in check(subject))
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def as_text(findings: Iterable[Finding]) -> str:
    """Findings for people: places that the same is said about are listed together.

    Args:
        findings: as `check_model` returns them.

    Returns:
        Three lines a finding; "" for none.

    Example:
        >>> print(as_text(check_model(nn.Sequential(nn.Dropout(0.1), nn.Dropout(0.1)))[1:]))
        note: 0, 1
          Dropout is off while probing, which runs in eval mode.
          Nothing; regularise by weight decay if need be.
    """
    places: dict[tuple[str, str, str], list[str]] = {}
    for f in findings:
        places.setdefault((f.severity, f.what, f.do), []).append(f.where)
    return "\n".join(
        f"{severity}: {tensors.some(where)}\n  {what}\n  {do}"
        for (severity, what, do), where in places.items()
    )
