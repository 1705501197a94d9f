"""Accuracy by attack and rule, and what is kept of the sum's without liars, as Markdown."""

from __future__ import annotations

import statistics

from experiments.harness import Results, table
from experiments.harness.tables import UNKNOWN
from experiments.hostile.shares import GROUPS, KEPT, LONG, REPORTS, Block, accuracies, breaks, kept


def reports(results: Results) -> str:
    """Return the table of rules over reports."""
    return _table(results, REPORTS)


def long(results: Results) -> str:
    """Return the table of three times as many rounds."""
    return _table(results, LONG)


def groups(results: Results) -> str:
    """Return the table of rules over secure groups."""
    return _table(results, GROUPS)


def _table(results: Results, block: Block) -> str:
    rows = [
        [_name(results, block, a), *(_cell(results, block, a, r) for r in block.rules)]
        for a in block.attacks
    ]
    return table(["hostile", *block.rules], rows)


def _name(results: Results, block: Block, attack: str) -> str:
    return f"**{attack}** ‡" if breaks(results, block, attack) else attack


def _cell(results: Results, block: Block, attack: str, rule: str) -> str:
    found = list(accuracies(results, block, attack, rule).values())
    shares = kept(results, block, attack, rule)
    if not found or not shares:
        return UNKNOWN
    share = statistics.median(shares)
    text = f"{100 * share:.1f} %"
    text = f"**{text}**" if share >= KEPT else text
    return f"{100 * statistics.median(found):.1f} ({100 * min(found):.1f}), {text}"
