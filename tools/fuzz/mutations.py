"""Valid bytes to hostile ones: what a broken disk, a bad network or an attacker makes of a message.

A sample comes with the places of its number fields, so that lengths and counts are hit on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.fuzz.draws import EDGES, Draws

BYTES = (0, 1, 2, 0x7F, 0x80, 0x81, 0xFE, 0xFF)


@dataclass(frozen=True)
class Sample:
    """A valid message.

    Args:
        data: its bytes.
        fields: (offset, size) of its numbers, the lengths and counts among them.
        header: how many bytes of its head make it look right.
    """

    data: bytes
    fields: tuple[tuple[int, int], ...] = ()
    header: int = 2


Mutation = Callable[[Draws, bytearray, Sample, Sample], None]


def flip(draws: Draws, data: bytearray, sample: Sample, other: Sample) -> None:
    """Flip one bit."""
    if data:
        data[draws.below(len(data))] ^= 1 << draws.below(8)


def overwrite(draws: Draws, data: bytearray, sample: Sample, other: Sample) -> None:
    """Set one byte to an edge value."""
    if data:
        data[draws.below(len(data))] = draws.pick(BYTES)


def field(draws: Draws, data: bytearray, sample: Sample, other: Sample) -> None:
    """Set a number field to an edge value, or one up or down."""
    if not sample.fields:
        return
    at, size = draws.pick(sample.fields)
    before = int.from_bytes(data[at : at + size], "little")
    wanted = draws.pick((draws.pick(EDGES), before + 1, before - 1, before * 2, draws.bits(64)))
    data[at : at + size] = (wanted & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def truncate(draws: Draws, data: bytearray, sample: Sample, other: Sample) -> None:
    """Cut the end off."""
    del data[draws.below(len(data) + 1) :]


def extend(draws: Draws, data: bytearray, sample: Sample, other: Sample) -> None:
    """Add something to the end."""
    more = draws.pick((b"\0", b"\xff", b"\0" * 8, draws.bytes(draws.between(1, 40)), bytes(data)))
    data += more


def splice(draws: Draws, data: bytearray, sample: Sample, other: Sample) -> None:
    """Go on as another message, from the same place or from any."""
    at = draws.below(len(data) + 1)
    data[at:] = other.data[at if draws.chance(2) else draws.below(len(other.data) + 1) :]


def swap(draws: Draws, data: bytearray, sample: Sample, other: Sample) -> None:
    """Let two neighbouring sections change places."""
    ends = [at for at, _ in sample.fields] if draws.chance(2) and sample.fields else None
    cuts = sorted(draws.pick(ends) if ends else draws.below(len(data) + 1) for _ in range(3))
    a, b, c = cuts
    data[a:c] = data[b:c] + data[a:b]


def remove(draws: Draws, data: bytearray, sample: Sample, other: Sample) -> None:
    """Leave some bytes out."""
    at = draws.below(len(data) + 1)
    del data[at : at + draws.between(1, 8)]


def repeat(draws: Draws, data: bytearray, sample: Sample, other: Sample) -> None:
    """Say some bytes twice."""
    at = draws.below(len(data) + 1)
    data[at:at] = data[at : at + draws.between(1, 64)]


def garbage(draws: Draws, data: bytearray, sample: Sample, other: Sample) -> None:
    """Keep the head, and random bytes behind it."""
    head = draws.pick((sample.header, min(len(data), draws.below(120))))
    left = len(data) if draws.chance(2) else draws.below(300)
    data[head:] = draws.bytes(left)


MUTATIONS: tuple[Mutation, ...] = (
    flip, flip, overwrite, overwrite, field, field, field, field, field,
    truncate, extend, splice, swap, remove, repeat, garbage,
)  # fmt: skip


def mutated(draws: Draws, sample: Sample, pool: Sequence[Sample]) -> bytes:
    """Return a sample's bytes after one to three mutations."""
    data, other = bytearray(sample.data), draws.pick(pool)
    for _ in range(draws.pick((1, 1, 1, 2, 3))):
        draws.pick(MUTATIONS)(draws, data, sample, other)
    return bytes(data)
