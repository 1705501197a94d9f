"""The table of what came of it, by decoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tools.fuzz.registry import TARGETS

HEAD = (
    "decoder", "inputs", "valid", "accepted", "refused", "failed", "inputs/s", "worst ms",
    "metered", "worst bytes", "worst bytes/len", "bound",
)  # fmt: skip


def rows(lines: Iterable[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return one row a decoder."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        found.setdefault(line["decoder"], []).append(line)
    return [_row(name, found[name]) for name in TARGETS if name in found]


def _row(name: str, lines: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    total = {k: sum(i[k] for i in lines) for k in ("inputs", "honest", "accepted", "refused")}
    rest = {k: sum(i[k] for i in lines) for k in ("failed", "metered", "seconds")}
    worst = {k: max(i[k] for i in lines) for k in ("worst_ms", "worst_bytes", "worst_ratio")}
    target = TARGETS[name]
    return (
        name,
        *(f"{value:,}" for value in total.values()),
        f"{rest['failed']:,}",
        f"{total['inputs'] / max(rest['seconds'], 1e-9):,.0f}",
        f"{worst['worst_ms']:.1f}",
        f"{rest['metered']:,}",
        f"{worst['worst_bytes']:,}",
        f"{worst['worst_ratio']:.0f}",
        f"{target.slope} n + {target.constant >> 10} KiB",
    )


def text(found: Sequence[tuple[str, ...]]) -> str:
    """Return the table as text."""
    table = [HEAD, *found]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEAD))]
    lines = ("  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in table)
    return "\n".join(line.rstrip() for line in lines)
