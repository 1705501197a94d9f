"""What a rule keeps under an attack: its accuracy over that of the sum without liars."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.harness import Results

CLEAN, SUM = "nobody", "sum"
ATTACKS = ("sign_flip", "scaling", "random", "label_flip", "alie", "inner_product")
LONG_ATTACKS = (CLEAN, "sign_flip", "scaling")
LIARS = (CLEAN, "0.1 sign_flip", "0.2 sign_flip", "0.1 scaling", "0.2 scaling")
RULES = ("sum", "median", "trimmed_mean", "krum", "multi_krum", "norm_bound")
GROUP_RULES = ("sum", "median", "trimmed_mean")
HALF, KEPT = 0.5, 0.9  # what a sum without a rule loses at least, what a rule should keep


@dataclass(frozen=True)
class Block:
    """Runs that are compared: rows of attacks, columns of rules."""

    over: str
    attacks: Sequence[str]
    rules: Sequence[str]


REPORTS = Block("reports", (CLEAN, *ATTACKS), RULES)
LONG = Block("long", LONG_ATTACKS, RULES)
GROUPS = Block("groups", LIARS, GROUP_RULES)


def accuracies(results: Results, block: Block, attack: str, rule: str) -> dict[int, float]:
    """Return the test accuracy by key."""
    found = results.select(over=block.over, attack=attack, rule=rule)
    return {int(r.cell.labels["key"]): r.figure("test_accuracy") for r in found}


def kept(results: Results, block: Block, attack: str, rule: str) -> list[float]:
    """Return accuracy over the sum's without liars, key by key."""
    clean = accuracies(results, block, CLEAN, SUM)
    found = accuracies(results, block, attack, rule)
    return [accuracy / clean[key] for key, accuracy in found.items() if key in clean]


def breaks(results: Results, block: Block, attack: str) -> bool:
    """Return whether the sum falls below half of what it reaches without liars."""
    shares = kept(results, block, attack, SUM)
    return bool(shares) and statistics.median(shares) < HALF
