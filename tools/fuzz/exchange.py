"""The decoders of what a network carries: ask and answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baffle.protocol.exchange import (
    REASONS,
    Answer,
    Ask,
    Evaluation,
    Holding,
    Holds,
    Masked,
    Reported,
    SnapshotHeader,
    TailRow,
    Trouble,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from baffle.protocol.exchange.answer import HEAD_BYTES, _seal
from baffle.protocol.exchange.ask import (
    GENESIS,
    GROUP,
    KNOWN,
    MAX_CHUNKS,
    MAX_HELD,
    MAX_SNAPSHOT,
    PLAN,
    SNAPSHOT,
    SUMS,
    TAIL,
)
from baffle.protocol.exchange.sums import ANSWERS, ASKS, kinds
from baffle.secagg.keys import ADVERT_BYTES
from baffle.secagg.wire import MASK_ASK
from tools.fuzz.draws import Draws
from tools.fuzz.mutations import Sample
from tools.fuzz.target import Bytes, Case, differing

TEXTS = ("", "no data", "ü" * 200, "\0", "expected a number, got none: " * 13, "\U0001f512")


def ask(draws: Draws, large: bool) -> Ask:
    """Return a valid ask, with any of its sections."""
    flags = draws.below(KNOWN + 1) | (TAIL if large else 0)
    group, messages = _sums(draws, flags)
    flags = flags | PLAN if group is not None or kinds(messages) == (MASK_ASK,) else flags
    flags = flags & ~PLAN if messages and kinds(messages) != (MASK_ASK,) else flags
    rows = draws.pick((1, 2, 5)) if not large else 3000
    chunks = draws.between(1, MAX_CHUNKS)
    size = draws.between(chunks, 2**31) << draws.below(9)
    header = SnapshotHeader(min(draws.bits(32), MAX_HELD), size, draws.bytes(32), chunks)
    tail = tuple(
        TailRow(draws.bytes(draws.below(130)), draws.bytes(draws.below(130))) for _ in range(rows)
    )
    return Ask(
        draws.bytes(16),
        draws.bits(32),
        draws.bytes(draws.below(200)) if flags & GENESIS else None,
        header if flags & SNAPSHOT else None,
        tail if flags & TAIL else (),
        draws.bytes(draws.below(120)) if flags & PLAN else None,
        bool(flags & 16),
        group,
        messages,
    )


def _sums(draws: Draws, flags: int) -> tuple[int | None, tuple[bytes, ...]]:
    """Return a group, or messages of secure sums, or neither."""
    if flags & SUMS:
        return None, _messages(draws, ASKS)
    return (draws.bits(16) if flags & GROUP else None), ()


def _messages(draws: Draws, together: Sequence[tuple[int, ...]]) -> tuple[bytes, ...]:
    return tuple(bytes((kind,)) + draws.bytes(draws.below(90)) for kind in draws.pick(together))


def ask_fields(found: Ask) -> tuple[tuple[int, int], ...]:
    """Return where an ask's numbers stand: flags, client, every length and count."""
    fields, at = [(2, 1), (19, 4)], 23
    if found.genesis is not None:
        fields, at = [*fields, (at, 4)], at + 4 + len(found.genesis)
    if found.snapshot is not None:
        fields, at = [*fields, (at, 4), (at + 4, 8), (at + 44, 4)], at + 48
    if found.tail:
        fields, at = [*fields, (at, 4)], at + 4
    for part in (p for row in found.tail for p in (row.plan, row.outcome)):
        fields, at = [*fields, (at, 4)] if len(fields) < 40 else fields, at + 4 + len(part)
    if found.plan is not None:
        fields, at = [*fields, (at, 4)], at + 4 + len(found.plan)
    if found.group is not None:
        fields.append((at, 2))
    if found.sums:
        fields += _message_fields(at, found.sums)
    return tuple(fields)


def _message_fields(at: int, messages: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return where messages' number, lengths and types stand."""
    fields, at = [(at, 1)], at + 1
    for message in messages:
        fields, at = [*fields, (at, 4), (at + 4, 1)], at + 4 + len(message)
    return fields


class Asks(Bytes):
    """`decode_ask`."""

    name = "ask"
    slope = 40  # two empty byte strings of a row take 8 bytes, and some 200 as an object

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return an ask."""
        found = ask(draws, large)
        return Sample(encode_ask(found), ask_fields(found), header=3), None

    def decode(self, case: Case) -> Ask:
        """Call it."""
        return decode_ask(case.data)

    def wrong(self, case: Case, value: Ask) -> str | None:
        """Check ranges and encoding."""
        s = value.snapshot
        return differing(
            {
                "encoding": encode_ask(value) == case.data,
                "snapshot": s is None or 1 <= s.chunks <= min(s.size, MAX_CHUNKS),
                "size": s is None or (s.size <= MAX_SNAPSHOT and s.round <= MAX_HELD),
                "lengths": len(value.run) == 16 and (s is None or len(s.sha256) == 32),
                "sums": not value.sums or kinds(value.sums) in ASKS,
            }
        )


def answer(draws: Draws, large: bool) -> Answer:
    """Return a valid answer of any kind."""
    examples = max(1, draws.bits(32))
    right = None if draws.chance(3) else min(draws.below(examples), 2**32 - 2)
    seen = Evaluation(examples, right, draws.between(-(2**31 - 1), 2**31 - 1))
    evaluation = seen if draws.chance(2) else None
    held = None if draws.chance(3) else Holding(draws.bits(31), draws.bytes(32))
    match draws.below(4):
        case 0:
            size = draws.between(0, 200) if not large else 1 << 19
            return Reported(draws.bytes(size), evaluation)
        case 1:
            claim = None if draws.chance(2) else draws.bits(31)
            advert = draws.bytes(ADVERT_BYTES) if draws.chance(2) else None
            return Holds(draws.bytes(16), claim, held, draws.bits(32), evaluation, advert)
        case 2:
            refused = draws.pick(REASONS) if draws.chance(3) else None
            found = _messages(draws, ANSWERS)
            return Masked(draws.bits(32), draws.bits(32), found, refused, evaluation)
    return Trouble(draws.pick(REASONS), draws.pick(TEXTS), held)


FIELDS = {
    0: (),
    1: ((27, 4), (31, 4), (67, 4)),
    2: ((11, 1), (12, 4), (48, 4)),
    3: ((11, 4), (15, 4), (19, 1), (20, 1), (21, 4), (25, 1)),
}
FIGURES = ((11, 4), (15, 4), (19, 8))


def answer_fields(kind: int) -> tuple[tuple[int, int], ...]:
    """Return where an answer's numbers stand: kind, seal and what its kind has."""
    fields = ((2, 1), (3, 8), *FIELDS[kind & 63])
    if not kind & 128:
        return fields
    return (*fields[:2], *FIGURES, *((at + 16, size) for at, size in fields[2:]))


class Answers(Bytes):
    """`decode_answer`, told the run; and the seals of those that only tag and plan tell of."""

    name = "answer"

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return an answer with its context: run, tag, plan, its own bytes."""
        found, run = answer(draws, large), draws.bytes(16)
        tag, plan = draws.bytes(16), draws.bytes(20)
        if isinstance(found, Reported | Masked):
            found = found.sealed(tag, plan)
        data = encode_answer(found, run)
        return Sample(data, answer_fields(data[2]), header=3), (run, tag, plan, data)

    def draw(self, draws: Draws, large: bool) -> Case:
        """Return an answer, a damaged one, or one whose seal an attacker made fit again."""
        case = super().draw(draws, large)
        if case.honest or draws.chance(3) or len(case.data) < HEAD_BYTES:
            return case
        kind, rest = case.data[2], case.data[HEAD_BYTES:]
        data = case.data[:3] + _seal(kind, rest, case.about[0]) + rest
        return Case(data, data == case.about[3], (*case.about, "sealed"), len(data))

    def decode(self, case: Case) -> Answer:
        """Call it."""
        return decode_answer(case.data, case.about[0])

    def wrong(self, case: Case, value: Answer) -> str | None:
        """Check ranges, encoding and seal."""
        run, tag, plan, good, *sealed = case.about
        checks = {"encoding": encode_answer(value, run) == case.data}
        if isinstance(value, Reported | Masked):
            fits = value.sealed(tag, plan).seal == value.seal
            checks["seal of a report"] = fits == (case.data == good)
        else:
            checks["seal"] = bool(sealed) or case.data == good
        if isinstance(value, Trouble):
            checks["text"] = value.reason in REASONS and len(value.text.encode()) <= 400
        elif isinstance(value, Masked):
            checks["sums"] = kinds(value.messages) in ANSWERS
        if not isinstance(value, Trouble) and value.evaluation:
            right = value.evaluation.right or 0
            checks["evaluation"] = max(1, right) <= value.evaluation.examples
        return differing(checks)
