"""The rules that the shared battery runs on, and slow truths in Python's integers and fractions."""

import math
from fractions import Fraction

from baffle.aggregation.rules import make_rule


def rules():
    """Return rules of each name, at more than one setting where they have one."""
    return [
        make_rule("sum"),
        make_rule("median"),
        make_rule("trimmed_mean"),
        make_rule("trimmed_mean", share=0.4),
        make_rule("krum"),
        make_rule("krum", share=0.3),
        make_rule("multi_krum"),
        make_rule("multi_krum", share=0.1),
        make_rule("norm_bound"),
        make_rule("norm_bound", multiple=0.7),
    ]


def name_of(rule):
    return "-".join([rule.name, *(str(v) for v in vars(rule).values())])


def slow_sum(rule, rows):
    return [sum(column) for column in zip(*rows, strict=True)], len(rows)


def slow_median(rule, rows):
    columns = [sorted(column) for column in zip(*rows, strict=True)]
    n = len(rows)
    if n % 2:
        return [c[n // 2] for c in columns], 1
    return [c[n // 2 - 1] + c[n // 2] for c in columns], 2


def slow_trimmed(rule, rows):
    n = len(rows)
    t = max(1, math.floor(Fraction(str(rule.share)) * n))
    return [sum(sorted(c)[t : n - t]) for c in zip(*rows, strict=True)], n - 2 * t


def krum_order(rule, rows):
    """Return rows by (score, content), straight from the definition."""
    n = len(rows)
    f = max(1, math.floor(Fraction(str(rule.share)) * n))
    scored = []
    for i, x in enumerate(rows):
        others = (y for j, y in enumerate(rows) if j != i)
        distances = sorted(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for y in others)
        scored.append((sum(distances[: n - f - 2]), list(x)))
    return [x for _, x in sorted(scored)], f


def slow_krum(rule, rows):
    return krum_order(rule, rows)[0][0], 1


def slow_multi_krum(rule, rows):
    ordered, f = krum_order(rule, rows)
    m = len(rows) - f - 2
    return [sum(column) for column in zip(*ordered[:m], strict=True)], m


def slow_norm_bound(rule, rows):
    squares = [sum(x * x for x in row) for row in rows]
    middle = sorted(squares)[(len(rows) - 1) // 2]
    limit = math.floor(Fraction(str(rule.multiple)) ** 2 * middle)
    total = [0] * len(rows[0])
    for row, square in zip(rows, squares, strict=True):
        factor = math.isqrt((limit << 64) // square) if square > limit else 1 << 32
        for k, x in enumerate(row):
            total[k] += int(math.copysign(1, x)) * (abs(x) * factor // 2**32)
    return total, len(rows)


SLOW = {
    "sum": slow_sum,
    "median": slow_median,
    "trimmed_mean": slow_trimmed,
    "krum": slow_krum,
    "multi_krum": slow_multi_krum,
    "norm_bound": slow_norm_bound,
}
