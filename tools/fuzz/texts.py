"""Hostile JSON: valid text with one token or its form exchanged."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from tools.fuzz.draws import Draws

TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[\[\]{},:]|\s+'
)
DEPTHS = (3, 40, 300, 900, 960, 990, 1100, 20_000)
DIGITS = (1, 19, 20, 300, 320, 4299, 4301, 9000)
ATOMS = (
    "NaN", "Infinity", "-Infinity", "-0", "0.0", "-1", "1.0", "1e0", "1E5", "1e999", "-1e-999",
    "0.1", "1.5", "true", "false", "null", '""', '"\\ud800"', '"\\u0000"', '"\\u0061"', '"x"',
    "[]", "{}", "[1]", '{"a":1}', '{"a":1,"a":1}', "[[],[]]", "4294967295", "4294967296",
    "18446744073709551615", "18446744073709551616", "9223372036854775808", "1e-08", "1e-8",
    '"\ud800"', '"/"', '"__metadata__"', '"ff"', '"FF"', '" 1"', '"\u0661"', '"1_0"', '"+1"',
    '"01"', "01", "+1", ".5", "'x'", "undefined",
)  # fmt: skip
SPACES = (" ", "\n", "\t", "\r\n", "\u00a0", "\0", "/**/", ",", "\ufeff")

Tokens = list[str]
Attack = Callable[[Draws, Tokens], None]


@cache
def tokens(text: str) -> tuple[str, ...]:
    """Return a JSON text's tokens; together they are the text."""
    return tuple(TOKEN.findall(text))


@cache
def nested(depth: int, way: int) -> str:
    """Return lists or tables in one another, closed or left open."""
    head, tail = ("[", "]") if way & 1 else ('{"a":', "}")
    return head * depth + ("0" + tail * depth if way & 2 else "")


@cache
def digits(count: int, way: int) -> str:
    """Return a number of many digits, as an integer, a fraction or an exponent."""
    return ("9" * count, "-" + "9" * count, "0." + "3" * count, "1e" + "9" * count)[way]


def atom(draws: Draws, found: Tokens) -> None:
    """Put another value in a token's place."""
    found[draws.below(len(found))] = draws.pick(ATOMS)


def number(draws: Draws, found: Tokens) -> None:
    """Put a number without end in a token's place; in a number's, where there is one at hand."""
    at = next((i for i in (draws.below(len(found)) for _ in range(8)) if found[i][0].isdigit()), 0)
    found[at] = digits(draws.pick(DIGITS), draws.below(4))


def deep(draws: Draws, found: Tokens) -> None:
    """Put nesting without end in a token's place."""
    found[draws.below(len(found))] = nested(draws.pick(DEPTHS), draws.below(4))


def space(draws: Draws, found: Tokens) -> None:
    """Put something between two tokens."""
    found.insert(draws.below(len(found) + 1), draws.pick(SPACES))


def copy(draws: Draws, found: Tokens) -> None:
    """Say a stretch twice: keys, entries, rows."""
    at, size = draws.below(len(found)), draws.pick((1, 2, 4, 4, 8, 20))
    where = at if draws.chance(2) else draws.below(len(found))
    found[where:where] = found[at : at + size]


def drop(draws: Draws, found: Tokens) -> None:
    """Leave a stretch out."""
    at = draws.below(len(found))
    del found[at : at + draws.pick((1, 2, 4, 4, 8))]


def exchange(draws: Draws, found: Tokens) -> None:
    """Let two tokens change places."""
    a, b = draws.below(len(found)), draws.below(len(found))
    found[a], found[b] = found[b], found[a]


def escape(draws: Draws, found: Tokens) -> None:
    """Write a character of a string in another way, or in the other case."""
    at = draws.below(len(found))
    text = found[at]
    if text[0] != '"' or len(text) < 3:
        return
    place = draws.between(1, len(text) - 2)
    new = draws.pick((f"\\u{ord(text[place]) & 0xFFFF:04x}", text[place].swapcase(), "\\ud83d", ""))
    found[at] = text[:place] + new + text[place + 1 :]


ATTACKS: tuple[Attack, ...] = (
    atom, atom, atom, number, number, deep, space, copy, copy, drop, exchange, escape,
)  # fmt: skip


def attacked(draws: Draws, text: str) -> str:
    """Return a text after one or two attacks."""
    found = list(tokens(text)) or ["0"]
    for _ in range(draws.pick((1, 1, 1, 2))):
        draws.pick(ATTACKS)(draws, found)
        found = found or ["0"]
    return "".join(found)


def encoded(draws: Draws, text: str) -> bytes:
    """Return a text as bytes: mostly in UTF-8, lone surrogates as they are."""
    if draws.chance(40):
        return text.encode(draws.pick(("utf-16", "utf-32", "utf-8-sig")), "surrogatepass")
    return text.encode("utf-8", "surrogatepass")
