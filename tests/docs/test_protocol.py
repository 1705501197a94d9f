"""docs/protocol.md: layouts without gaps, and as long as the code's messages."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from baffle.cohort import deal
from baffle.directions import ModelSignature, TensorSpec
from baffle.directions.coordinates import Purpose, Stream
from baffle.privacy import PrivacySpec, noise_limit, sample_cap
from baffle.protocol import Genesis, encode_plan
from baffle.protocol.contribution import Form
from baffle.secagg import SecureSpec, encode_advert, parameters
from baffle.secagg.shamir import PRIME, SHORT
from baffle.secagg.wire import encode_complaint
from baffle.updates import UpdateSpec
from tests.secagg.federation import Group
from tools.privacy import PLAN, bytes_up

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
HEAD = "| offset | size | type | field | meaning |"
MESSAGES = ("Share ask", "Share answer", "Mask ask", "Mask answer", "Unmask ask", "Unmask answer")


def rows(page: str) -> list[list[str]]:
    """Return the cells of the rows of the first table of a text."""
    lines = page[page.index("\n|") + 1 :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def layout(name: str) -> list[list[str]]:
    """Return the rows of a message of secure sums."""
    return rows(PAGE.partition(f"\n**{name}")[2])


def number(text: str, **known: int) -> int:
    """Return what an offset or a size says, as `30 + 32 · n` with n known."""
    plain = text.replace("⌈n/8⌉", str(-(-known.get("n", 0) // 8)))
    terms = [[known.get(f, f) for f in term.split(" · ")] for term in plain.split(" + ")]
    return sum(int(np.prod([int(f) for f in term])) for term in terms)


def layouts() -> Iterator[tuple[str, list[list[str]]]]:
    for part in PAGE.split(HEAD)[1:]:
        yield part.splitlines()[2][:60], rows(f"\n{HEAD}{part}")


@pytest.mark.parametrize("table", [t for _, t in layouts()], ids=[n for n, _ in layouts()])
def test_a_field_begins_where_the_one_before_it_ends(table):
    known = {"n": 13, "k": 12, "v": 7, "w": 9, "T": 5}
    for row, after in pairwise(table):
        if not re.fullmatch(r"[\d·+⌈⌉/ nkvwT]+", row[0] + row[1] + after[0]) or not row[1]:
            continue  # a length that stands in words
        assert number(row[0], **known) + number(row[1], **known) == number(after[0], **known), row


def test_the_advert():
    group = Group(3)
    table, data = layout("Advert"), encode_advert(group.adverts()[2])
    assert sum(int(row[1]) for row in table) == len(data) == 170
    assert data[0] == int(table[0][4], 16)
    assert data[2:6] == (2).to_bytes(4, "little")


N = 12  # all are neighbours: of the 11 others 10 share, and 9 of these survive
COUNTS = {"n": N, "k": N - 1, "w": N - 2, "v": N - 3}


@pytest.fixture(scope="module")
def played():
    """Return a group of which three clients are lost, each at another stage."""
    group = Group(N)
    found = group.run({"share": {0}, "mask": {1}, "unmask": {2}})
    assert set(found.participants) == set(range(2, N))
    return group


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_of_secure_sums_are_as_long_as_their_layouts(played, name):
    stage, side = name.lower().split()
    data = (played.asked if side == "ask" else played.answered)[stage, 5]
    table = layout(name)
    assert data[:2] == bytes((int(table[0][4], 16), 1))
    last, size = table[-1][:2]
    lengths = {"": played.lanes.size(N), "80 each": 80 * COUNTS["w"]}
    expected = number(last, **COUNTS) + (lengths.get(size) or number(size, **COUNTS))
    assert len(data) == expected


def test_a_complaint():
    table, data = layout("Complaint"), encode_complaint(bytes(32), 5)
    assert data[:2] == bytes((int(table[0][4], 16), 1))
    assert len(data) == number(table[-1][0]) + number(table[-1][1])


def test_bytes_of_a_clients_answers_when_nobody_is_gone():
    group = Group(12)
    group.run()
    sent = sum(len(group.answered[stage, 5]) for stage in ("share", "mask", "unmask"))
    assert sent == bytes_up(parameters(12, group.spec), group.lanes.size(12))


def test_fields_that_are_changed_one_by_one_elsewhere_lie_where_the_page_says():
    offsets = {row[3]: number(row[0], n=6, k=5) for row in layout("Share ask")}
    assert (offsets["run"], offsets["n"], offsets["leaves"]) == (2, 26, 30)
    assert offsets["adverts"] == 30 + 32 * 6


def test_lanes():
    tables = [rows(part) for part in PAGE.split("| block | lanes |")[1:]]
    assert len(tables) == 2
    clear = Form(dataclasses.replace(PLAN, weighting="examples", weight_cap=9), None, SIZES)
    limit, count = PLAN.quantiser.limit, PLAN.count
    assert [(b.count, b.bound) for b in clear.lanes.blocks] == [
        (count, 9 * limit), (1, 9), (1, 81), (1, 2**31 - 1), (2, count), (3, 2**48 - 1),
    ]  # fmt: skip
    for unit, most in (("client", 1), ("example", sample_cap(PLAN.batch))):
        form = Form(PLAN, PrivacySpec(unit, 1.0, 1e-5, 4.0), SIZES)
        noise = noise_limit(form.sigma)
        bounds = [most * limit + noise, most * (limit // 8) + noise, most * (limit // 4) + noise]
        assert [b.bound for b in form.lanes.blocks] == bounds
        assert [b.count for b in form.lanes.blocks] == [count, 1, 1]


SIZES = parameters(10, SecureSpec())


def test_the_fields_are_those_that_are_named():
    assert "p is 2^255 − 19, p' is 2^127 − 1" in PAGE
    assert (PRIME, SHORT) == (2**255 - 19, 2**127 - 1)


def test_a_plan_with_groups():
    scaled = dataclasses.replace(PLAN, scale_exponents=(1, 0, 2))
    data = encode_plan(dataclasses.replace(scaled, groups=258, shared_directions=True))
    assert len(data) == len(encode_plan(scaled)) + 3 == 106 + 3 + 3
    assert data[1] == 2
    assert data[106 + 3 :] == b"\x02\x01\x01"
    assert encode_plan(dataclasses.replace(scaled, groups=1))[1] == 1


@pytest.mark.parametrize(("field", "kind"), [("secure", SecureSpec), ("privacy", PrivacySpec)])
def test_what_a_genesis_promises(field, kind):
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{field}` |")]
    named = set(re.findall(r"`(\w+)`", row)) - {field}
    assert named == {f.name for f in dataclasses.fields(kind)}
    signature = ModelSignature((TensorSpec("w", (2,)),))
    spec = SecureSpec() if field == "secure" else PrivacySpec("client", 1.0, 1e-5, 4.0)
    found = Genesis("a", 0, signature, UpdateSpec(), bytes(32), **{field: spec})
    value = json.loads(found.to_bytes())
    assert value[field].keys() == named
    assert not {"secure", "privacy"} - {field} & value.keys()


def test_how_a_cohort_is_dealt():
    """By the page, with nothing but the stream."""
    key, round_, clients = 11, 4, [3, 5, 8, 13, 21, 34, 55]
    words = Stream(key, Purpose(3), round_, 1).words(clients, 2).astype(np.uint64)
    lots = {c: (int(a) * 2**32 + int(b), c) for c, (a, b) in zip(clients, words, strict=True)}
    line = sorted(clients, key=lots.__getitem__)
    assert deal(key, round_, clients, 3).members == tuple(
        tuple(sorted(line[g::3])) for g in range(3)
    )
