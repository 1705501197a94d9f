"""Figures as people read them: three digits that count, decimal units, a dash for the unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

UNKNOWN = "–"
BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
COUNT_UNITS = ("", "k", "M", "G", "T")
MINUTE, HOUR, DAY = 60, 3600, 86400


def is_known(value: float | None) -> TypeGuard[float]:
    """Return whether there is a finite number."""
    return value is not None and math.isfinite(value)


def scale(value: float, units: Sequence[str]) -> tuple[float, str]:
    """Return a power of 1000 and its unit, in which a value is at least 1 and below 1000.

    Args:
        value: not negative, in the first unit.
        units: ascending by thousands; the last one takes what is beyond.

    Example:
        >>> scale(999_600, BYTE_UNITS)  # 999.6 kB would be written as 1000
        (1000000.0, 'MB')
    """
    power = 0
    while power < len(units) - 1 and float(f"{value / 1000.0**power:.3g}") >= 1000:
        power += 1
    return 1000.0**power, units[power]


def bytes_text(value: float | None) -> str:
    """Return bytes in decimal units, at most 7 characters below 1000 PB.

    Example:
        >>> bytes_text(1_080), bytes_text(12_345_678), bytes_text(None)
        ('1.08 kB', '12.3 MB', '–')
    """
    return _in_units(value, BYTE_UNITS)


def count_text(value: float | None) -> str:
    """Return a count in thousands, millions, …, at most 6 characters below 1000 T.

    Example:
        >>> count_text(512), count_text(3_280_000)
        ('512', '3.28 M')
    """
    return _in_units(value, COUNT_UNITS)


def _in_units(value: float | None, units: Sequence[str]) -> str:
    if not is_known(value):
        return UNKNOWN
    factor, unit = scale(value, units)
    number = f"{value:.3g}" if factor == 1 else _three_digits(value / factor)
    return f"{number} {unit}".rstrip()


def _three_digits(value: float) -> str:
    """Return at least three digits that count, without an exponent."""
    rounded = float(f"{value:.3g}")
    return f"{value:.{2 if rounded < 10 else 1 if rounded < 100 else 0}f}"


def seconds_text(value: float | None) -> str:
    """Return a length of time in its two largest units.

    Args:
        value: seconds, not negative.

    Example:
        >>> seconds_text(0.4168), seconds_text(36.09), seconds_text(3725)
        ('0.42 s', '36.1 s', '1 h 02 min')
    """
    if not is_known(value):
        return UNKNOWN
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 99.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02d} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"
    return f"{whole // DAY} d {whole % DAY // HOUR:02d} h"


def clock_text(value: float | None) -> str:
    """Return a length of time as h:mm:ss, at most 8 characters below a million days.

    Example:
        >>> clock_text(83.2), clock_text(400_000)
        ('0:01:23', '4 d 15 h')
    """
    if not is_known(value):
        return UNKNOWN
    whole = round(value)
    if whole >= 100 * HOUR:
        days = whole // DAY
        return f"{days} d {whole % DAY // HOUR:02d} h" if days < 10 else f"{days} d"
    return f"{whole // HOUR}:{whole % HOUR // MINUTE:02d}:{whole % MINUTE:02d}"


def percent_text(share: float | None) -> str:
    """Return a share from 0 to 1 in percent, at most 7 characters.

    Example:
        >>> percent_text(0.96338)
        '96.3 %'
    """
    if not is_known(share):
        return UNKNOWN
    return f"{100 * share:.1f} %"


def number_text(value: float | None, digits: int = 3) -> str:
    """Return a number to so many digits that count.

    Example:
        >>> number_text(0.12625513), number_text(float("nan"))
        ('0.126', '–')
    """
    if not is_known(value):
        return UNKNOWN
    return f"{value:.{digits}g}"


def power_text(value: float | None) -> str:
    """Return a power of two as one, any other number to three digits.

    Example:
        >>> power_text(0.00390625), power_text(0.3)
        ('2^-8', '0.3')
    """
    if not is_known(value) or value <= 0:
        return number_text(value)
    mantissa, exponent = math.frexp(value)
    return f"2^{exponent - 1}" if mantissa == 0.5 else number_text(value)


def ratio_text(first: float | None, second: float | None) -> str:
    """Return how many times the first figure the second one is.

    Example:
        >>> ratio_text(4.0, 10.0), ratio_text(0.0, 1.0)
        ('× 2.50', '–')
    """
    if not is_known(first) or not is_known(second) or first <= 0 or second < 0:
        return UNKNOWN
    ratio = second / first
    return f"× {_three_digits(ratio)}" if 0.01 <= ratio < 1000 else f"× {ratio:.2g}"
