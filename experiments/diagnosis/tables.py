"""The study's tables."""

from __future__ import annotations

from typing import Any

from experiments.diagnosis.runs import BROKEN, HEALTHY
from experiments.harness.results import Result, Results
from experiments.harness.statistics import spread
from experiments.harness.tables import table


def broken(results: Results) -> str:
    """Return, run by run, what comes first and what the advice brings."""
    heads = ("broken by", "first finding", "its figure (key 0)", "also found", "advice")
    heads += ("test accuracy", "after the advice")
    rows = []
    for name, (expected, _) in BROKEN.items():
        found = list(results.select(kind="broken", run=name))
        if found:
            rows.append(_broken_row(name, expected, found))
    return table(heads, rows)


def _broken_row(name: str, expected: str, found: list[Result]) -> list[str]:
    extra: list[dict[str, Any]] = [r.line["extra"] for r in found]
    right = sum(e["first"] == expected for e in extra)
    others = sorted({check for e in extra for check in e["others"]})
    return [
        name,
        f"`{expected}`: {right} of {len(extra)}",
        extra[0]["figure"].replace("|", "\\|"),
        ", ".join(others) or "–",
        _advice(extra[0]["change"]),
        _percent([e["accuracy"] for e in extra]),
        _percent([e["mended"] for e in extra if e["mended"] is not None]),
    ]


def _advice(change: Any) -> str:
    if isinstance(change, str):
        return change
    return ", ".join(f"`{name}={value}`" for name, value in change.items())


def _percent(shares: list[float]) -> str:
    if not shares:
        return "–"
    found = spread([100 * share for share in shares])
    return f"{found.median:.1f} ({found.least:.1f} to {found.largest:.1f})"


def healthy(results: Results) -> str:
    """Return, run by run, how often something was said to be wrong or suspicious."""
    rows = []
    for name in HEALTHY:
        found = [r.line["extra"] for r in results.select(kind="healthy", run=name)]
        if found:
            said = sorted({e["first"] for e in found if e["first"]})
            wrong = sum(bool(e["wrong"]) for e in found)
            suspicious = sum(bool(e["first"]) for e in found)
            rows.append(
                [
                    name,
                    _percent([e["accuracy"] for e in found]),
                    f"{wrong} of {len(found)}",
                    f"{suspicious} of {len(found)}" + (f" ({', '.join(said)})" if said else ""),
                ]
            )
    return table(("healthy run", "test accuracy", "wrong", "wrong or suspicious"), rows)


def cost(results: Results) -> str:
    """Return what the runs took."""
    seconds = sum(float(r.line["wall_seconds"]) for r in results)
    machines = {r.line["machine"]["cpu"] for r in results}
    return table(
        ("runs and diagnoses", "seconds", "machine"),
        [[str(len(results)), f"{seconds:.0f}", "; ".join(sorted(machines))]],
    )
