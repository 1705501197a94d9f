"""Rank-one sums in boxes: parts of a matrix small enough to hold, each with its own bits.

A tensor is seen as a matrix of out rows by inner · kernel columns; a vector has one row, whose
sign is +1. Bits are drawn for a box alone, so that memory is bounded whatever the tensor's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product

from baffle.directions import ModelSignature, TensorSpec
from baffle.directions.packed import Span, SpanTable
from baffle.directions.philox import BITS_PER_BLOCK
from baffle.directions.rank_one import factor_lengths
from baffle.updates.state import Array

MOST_ROWS, MOST_COLUMNS, MOST_ENTRIES = 2**14, 2**16, 2**20


@dataclass(frozen=True)
class Stretch:
    """Entries start to stop of a factor that begins at bit `base` of its tensor's stream.

    A factor without bits (`drawn` false) is one entry of one.
    """

    base: int
    start: int
    stop: int
    drawn: bool = True

    def __len__(self) -> int:
        return self.stop - self.start

    def span(self, tensor: int) -> Span:
        """Return the blocks that hold it."""
        return Span.of_bits(tensor, self.base + self.start, self.base + self.stop)

    def entries(self, signs: Array, at: int) -> Array:
        """Return its signs [n, len], from those of its blocks, which begin at column `at`."""
        first = at + (self.base + self.start) % BITS_PER_BLOCK
        return signs[:, first : first + len(self)]


@dataclass(frozen=True)
class Box:
    """Rows `out` by columns `inner` ⊗ `kernel` of a tensor; `lengths` are those of its factors.

    A box that does not hold the whole kernel holds one entry of `inner`, so that its columns stand
    side by side.
    """

    name: str
    number: int
    lengths: tuple[int, int, int]
    out: Stretch
    inner: Stretch
    kernel: Stretch

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The blocks that hold its factors' bits, factor by factor."""
        return tuple(f.span(self.number) for f in self._drawn)

    @cached_property
    def bits(self) -> int:
        """Bits drawn for a direction, whole blocks."""
        return sum(s.blocks for s in self.spans) * BITS_PER_BLOCK

    @cached_property
    def entries(self) -> int:
        """Number of entries of the box."""
        return len(self.out) * len(self.inner) * len(self.kernel)

    @cached_property
    def floats(self) -> int:
        """Numbers held for one direction: all signs, the scaled left and the right side."""
        return self.bits + len(self.out) + len(self.inner) * len(self.kernel)

    def factors(self, signs: Array, at: int) -> tuple[Array | None, Array]:
        """Return (out, inner ⊗ kernel) from signs of which the box's begin at column `at`.

        Returns:
            [n, rows], None for a vector; [n, columns].
        """
        found = []
        for factor, span in zip(self._drawn, self.spans, strict=True):
            found.append(factor.entries(signs, at))
            at += span.blocks * BITS_PER_BLOCK
        left = found.pop(0) if self.out.drawn else None
        if not self.kernel.drawn:
            return left, found[0]
        both = found[0][:, :, None] * found[1][:, None, :]
        return left, both.reshape(len(both), -1)

    def of(self, flat: Array) -> Array:
        """View the box [rows, columns] in a flat array of the tensor's entries."""
        rows, inner, kernel = self.lengths
        first = self.inner.start * kernel + self.kernel.start
        last = first + len(self.inner) * len(self.kernel)
        return flat.reshape(rows, inner * kernel)[self.out.start : self.out.stop, first:last]

    @cached_property
    def _drawn(self) -> tuple[Stretch, ...]:
        return tuple(f for f in (self.out, self.inner, self.kernel) if f.drawn)


@dataclass(frozen=True)
class Group:
    """Boxes whose directions are drawn in one call."""

    boxes: tuple[Box, ...]
    table: SpanTable

    @classmethod
    def of(cls, boxes: list[Box]) -> Group:
        """Return a group of at least one box."""
        return cls(tuple(boxes), SpanTable(span for box in boxes for span in box.spans))


@lru_cache(maxsize=8)
def boxes_in(signature: ModelSignature) -> tuple[Box, ...]:
    """Return the boxes of all trained tensors."""
    return tuple(box for number, tensor in signature.trained for box in boxes_of(number, tensor))


@lru_cache(maxsize=8)
def groups_in(signature: ModelSignature, floats: int, entries: int) -> tuple[Group, ...]:
    """Return the boxes in groups that hold no more a direction, or one box each."""
    groups: list[list[Box]] = []
    held = 0, 0
    for box in boxes_in(signature):
        wider = held[0] + box.floats, held[1] + box.entries
        if groups and wider[0] <= floats and wider[1] <= entries:
            groups[-1].append(box)
            held = wider
        else:
            groups.append([box])
            held = box.floats, box.entries
    return tuple(Group.of(group) for group in groups)


def boxes_of(number: int, tensor: TensorSpec) -> Iterator[Box]:
    """Yield the boxes of a tensor: all of it, unless it is large."""
    out, inner, kernel = _factors(tensor)
    lengths = len(out), len(inner), len(kernel)
    side = min(len(kernel), MOST_COLUMNS)
    columns = min(len(inner), max(1, MOST_COLUMNS // side) if side == len(kernel) else 1)
    rows = min(len(out), MOST_ROWS, max(1, MOST_ENTRIES // (columns * side)))
    parts = _parts(out, rows), _parts(inner, columns), _parts(kernel, side)
    for cut in product(*parts):
        yield Box(tensor.name, number, lengths, *cut)


def _factors(tensor: TensorSpec) -> tuple[Stretch, Stretch, Stretch]:
    none = Stretch(0, 0, 1, drawn=False)
    if len(tensor.shape) < 2:
        return none, Stretch(0, 0, tensor.size), none
    out, inner, kernel = factor_lengths(tensor.shape)
    last = Stretch(out + inner, 0, kernel) if kernel else none
    return Stretch(0, 0, out), Stretch(out, 0, inner), last


def _parts(whole: Stretch, size: int) -> list[Stretch]:
    starts = range(0, len(whole), size)
    return [replace(whole, start=s, stop=min(s + size, len(whole))) for s in starts]
