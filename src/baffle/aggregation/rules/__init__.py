"""Rules: many rows of integers, some of them hostile, to one. One row a rule."""

from __future__ import annotations

from baffle.aggregation.rules.base import Combined, Rule, portion, require_each
from baffle.aggregation.rules.counters import robust_counters
from baffle.aggregation.rules.krum import Krum, MultiKrum
from baffle.aggregation.rules.means import as_means, common_weight
from baffle.aggregation.rules.median import Median
from baffle.aggregation.rules.norm_bound import NormBound
from baffle.aggregation.rules.plain_sum import PlainSum
from baffle.aggregation.rules.trimmed_mean import TrimmedMean
from baffle.errors import ConfigError

RULES: dict[str, type[Rule]] = {
    rule.name: rule for rule in (PlainSum, Median, TrimmedMean, Krum, MultiKrum, NormBound)
}


def make_rule(name: str, share: float = 0.2, multiple: float = 1.0) -> Rule:
    """Return the rule of that name.

    Args:
        name: a row of RULES.
        share: of the rows that is assumed hostile (trimmed_mean, krum, multi_krum).
        multiple: of the median length (norm_bound).

    Raises:
        ConfigError: no such rule, or a number out of range.

    Example:
        >>> make_rule("krum", share=0.3).withstands(10)
        3
    """
    if name not in RULES:
        raise ConfigError(f"rule must be one of {', '.join(RULES)}, got {name!r}")
    rule = RULES[name]
    if issubclass(rule, (TrimmedMean, Krum)):
        return rule(share)
    return rule(multiple) if issubclass(rule, NormBound) else rule()


__all__ = [
    "RULES",
    "Combined",
    "PlainSum",
    "Rule",
    "as_means",
    "common_weight",
    "make_rule",
    "portion",
    "require_each",
    "robust_counters",
]
