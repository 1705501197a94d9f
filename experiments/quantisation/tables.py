"""Accuracy by bits, as Markdown."""

from __future__ import annotations

import statistics

from experiments.harness import Results, interval, spread, table
from experiments.harness.tables import UNKNOWN, cost, percent, points

HEADS = (
    "bits",
    "bytes a report",
    "keys",
    "accuracy, %: median (least to largest)",
    "deviation over keys",
    "minus 16 bits, points: mean ± 95 % interval",
    "of the pairs: median (least to largest)",
    "clipped, %",
    "step size",
)
BASE, AGAIN = 16, "16 again"
BITS = (BASE, AGAIN, 8, 4, 2, 1)
ASKED, K = 5, 512  # clients a round and directions, in both configurations
ACCURACY = "test_accuracy"


def digits(results: Results) -> str:
    """Return the table of the digits."""
    return _table(results.select(data="digits"))


def mnist(results: Results) -> str:
    """Return the table of MNIST."""
    return _table(results.select(data="mnist"))


def seconds(results: Results) -> str:
    """Return what the runs took."""
    return cost(results, "data")


def _table(results: Results) -> str:
    return table(HEADS, [_row(results, b) for b in BITS if len(results.select(bits=b))])


def _row(results: Results, bits: str | int) -> list[str]:
    found = results.select(bits=bits)
    shares = found.figures(ACCURACY)
    of_keys = spread(shares)
    return [
        str(bits),
        f"{found.figures('bytes_up_per_report')[0]:,.0f}",
        str(len(found)),
        f"{percent(of_keys.median)} ({percent(of_keys.least)} to {percent(of_keys.largest)})",
        percent(statistics.stdev(shares)) if len(shares) > 1 else UNKNOWN,
        *_against_base(results, bits),
        percent(statistics.fmean(_clipped(found))),
        _range([r.line["summary"]["choices"]["step_size"] for r in found]),
    ]


def _against_base(results: Results, bits: str | int) -> tuple[str, str]:
    if bits == BASE:
        return UNKNOWN, UNKNOWN
    pairs = results.paired(ACCURACY, "bits", bits, BASE)
    mean, of_pairs = interval(pairs), spread(pairs)
    return (
        f"{points(mean.mean)} ± {percent(mean.half)}",
        f"{points(of_pairs.median)} ({points(of_pairs.least)} to {points(of_pairs.largest)})",
    )


def _clipped(results: Results) -> list[float]:
    """Return the share of each run's derivatives that the grid cut off."""
    clips = [r.line["summary"]["faults"]["clips"] for r in results]
    return [c / (ASKED * K * r.figure("rounds")) for c, r in zip(clips, results, strict=True)]


def _range(values: list[float]) -> str:
    least, largest = min(values), max(values)
    return f"{least:g}" if least == largest else f"{least:g} to {largest:g}"
