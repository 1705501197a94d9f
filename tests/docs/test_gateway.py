"""docs/gateway.md: layouts without gaps and as long as the code's, its refusals, its tests."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from baffle.drivers.http import wire
from baffle.drivers.http.app import Patience
from baffle.drivers.http.enrolment import ENROLLED_BYTES, ENROLMENT_BYTES
from baffle.drivers.http.keys import BLOCK
from baffle.drivers.http.listener import HEAD_BYTES, HEAD_SECONDS
from baffle.drivers.http.mailbox import MOST_OPEN
from baffle.drivers.http.refusals import REFUSALS
from baffle.drivers.http.sending import PIECE, SECONDS
from baffle.drivers.http.serve import Place
from baffle.drivers.http.signed import TOKEN_BYTES
from baffle.drivers.http.state import Bounds

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
HEAD = "| offset | size | type | field | meaning |"


def tables(head: str) -> list[list[list[str]]]:
    found = []
    for part in PAGE.split(head)[1:]:
        lines = part.partition("\n\n")[0].splitlines()[2:]
        found.append([[cell.strip() for cell in line.strip("|").split("|")] for line in lines])
    return found


@pytest.mark.parametrize(
    ("table", "size"),
    list(zip(tables(HEAD), (None, TOKEN_BYTES, ENROLMENT_BYTES, ENROLLED_BYTES), strict=True)),
    ids=["parts", "stamp", "enrolment", "enrolled"],
)
def test_a_layout_has_no_gaps_and_the_codes_length(table, size):
    for row, after in pairwise(table):
        if "n" not in row[0] + row[1] + after[0]:
            assert int(row[0]) + int(row[1]) == int(after[0]), row
    if size is not None:
        assert int(table[-1][0]) + int(table[-1][1]) == size


def test_the_refusals_are_the_codes():
    (table,) = tables("| name | status | again | meaning |")
    found = {name: (int(status), again == "yes") for name, status, again, _ in table}
    assert found == dict(REFUSALS)


def test_the_tests_that_it_names_are_there():
    (table,) = tables("| attempt | what happens | test |")
    sources = [p.read_text() for p in (ROOT / "tests" / "drivers" / "http").glob("test_*.py")]
    there = set(re.findall(r"^def (test_\w+)", "\n".join(sources), re.MULTILINE))
    for row in table:
        named = re.findall(r"`(test_\w+)`", row[2])
        assert named or (ROOT / row[2].strip("`")).is_file(), row
        assert set(named) <= there, row


def test_the_bounds_are_the_codes():
    bounds = Bounds()
    (table,) = tables("| what | bound |")
    said = "\n".join(row[1] for row in table)
    assert f"{bounds.device.second:.0f} a second, {bounds.device.burst:.0f} at once" in said
    assert f"{bounds.stranger.second:.0f} a second, {bounds.stranger.burst:.0f} at once" in said
    for number in (bounds.addresses, bounds.devices, Place().connections):
        assert f"{number:,}" in said
    assert f"{bounds.up >> 20} MiB" in said
    assert f"{bounds.down >> 30} GiB" in said
    assert f"{HEAD_BYTES >> 10} KiB, {HEAD_SECONDS:.0f} s" in said
    assert f"{PIECE >> 10} KiB for {SECONDS:.0f} s" in said
    assert f"{MOST_OPEN}, and the newest" in said
    assert f"{bounds.presence:.0f} s after it spoke" in PAGE
    assert f"{Patience().ask:.0f} s at most" in PAGE
    assert f"within {Patience().body:.0f} s" in PAGE
    assert f"blocks of {BLOCK:,}" in PAGE
    assert f"1 to {wire.MAX_PARTS:,}" in PAGE
    assert f"milliseconds up to {wire.MAX_WAIT:,}" in PAGE
    assert f"{2 * TOKEN_BYTES} lowercase hexadecimal digits" in PAGE
