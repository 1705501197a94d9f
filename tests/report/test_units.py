from __future__ import annotations

import math

import pytest

from baffle.report import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (1.5e18, "1500 PB"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_bytes(value: float | None, text: str) -> None:
    assert units.bytes_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (3.4, "3.4"), (512, "512"), (999.7, "1.00 k"), (3_280_000, "3.28 M"), (None, "–")],
)
def test_counts(value: float | None, text: str) -> None:
    assert units.count_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00 s"),
        (9.996, "10.0 s"),
        (99.94, "99.9 s"),
        (99.96, "1 min 40 s"),
        (3599.6, "1 h 00 min"),
        (90_000, "1 d 01 h"),
        (math.inf, "–"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert units.seconds_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0:00:00"),
        (59.7, "0:01:00"),
        (359_999, "99:59:59"),
        (360_000, "4 d 04 h"),
        (863_999, "9 d 23 h"),
        (1e7, "115 d"),
    ],
)
def test_clock(value: float, text: str) -> None:
    assert units.clock_text(value) == text


def test_widths_that_the_live_line_relies_on() -> None:
    sizes = [10.0**e * f for e in range(1, 16) for f in (0.9994, 0.99951, 1, 3.14159, 9.999)]
    assert max(len(units.bytes_text(v)) for v in sizes) == 7
    assert max(len(units.count_text(v)) for v in sizes) == 6
    assert max(len(units.clock_text(v)) for v in sizes if v < 1e8) == 8


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.0**-9, "2^-9"), (1.0, "2^0"), (8.0, "2^3"), (0.02, "0.02"), (0.0, "0"), (None, "–")],
)
def test_powers(value: float | None, text: str) -> None:
    assert units.power_text(value) == text


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (4, 10, "× 2.50"),
        (1000, 1, "× 0.001"),
        (1, 123_456, "× 1.2e+05"),
        (0, 1, "–"),
        (None, 1, "–"),
        (1, math.nan, "–"),
        (2, 0, "× 0"),
    ],
)
def test_ratios(first: float | None, second: float | None, text: str) -> None:
    assert units.ratio_text(first, second) == text
