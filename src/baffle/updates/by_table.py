"""Dense directions summed from their packed bits, a window of all tensors' streams at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from baffle.directions import ModelSignature, TensorSpec
from baffle.directions.exact import bound, require_below
from baffle.directions.kind import PackedKind, Totals, Weights
from baffle.directions.packed import Span, SpanTable
from baffle.directions.philox import BITS_PER_WORD, WORDS_PER_BLOCK
from baffle.directions.tables import WINDOW
from baffle.updates.pages import Pages
from baffle.updates.rows import Rows

HELD_WORDS = 2**21  # packed bits of one chunk of directions: 8 MiB


@dataclass(frozen=True)
class Window:
    """Entries start to stop of a tensor, and the blocks that hold their bits."""

    number: int
    tensor: TensorSpec
    start: int
    stop: int
    span: Span

    @property
    def words(self) -> int:
        """Words that it takes of the window of all tensors."""
        return self.span.blocks * WORDS_PER_BLOCK


def sum_by_tables(
    kind: PackedKind,
    peak: int,
    signature: ModelSignature,
    rows: Rows,
    pages: Pages,
    weights: Weights | None,
) -> None:
    """Write scale · float32(sum_k Q_k z_k) of every trained tensor, into NumPy pages.

    Args:
        kind: whose directions.
        peak: its largest absolute entry.
        signature, rows, pages: which tensors, what is summed, where to.
        weights: for kinds whose entries depend on them.

    Raises:
        BoundError: a sum could reach 2^63.
    """
    limit = bound(rows.coefficients, peak)
    require_below(limit, len(rows), peak)
    groups = list(_groups(kind, signature))
    totals = kind.totals(max(sum(w.words for w in group) for group in groups), limit)
    for group in groups:
        _sum_group(group, rows, totals)
        _write_group(kind, group, totals, pages, weights)


def _windows(kind: PackedKind, signature: ModelSignature) -> Iterator[Window]:
    longest = WINDOW * BITS_PER_WORD // kind.entry_bits
    for number, tensor in signature.trained:
        for start in range(0, tensor.size, longest):
            stop = min(start + longest, tensor.size)
            bits = Span.of_bits(number, start * kind.entry_bits, stop * kind.entry_bits)
            yield Window(number, tensor, start, stop, bits)


def _groups(kind: PackedKind, signature: ModelSignature) -> Iterator[list[Window]]:
    """Yield windows that are drawn and summed at once: as many as have room."""
    group: list[Window] = []
    words = 0
    for window in _windows(kind, signature):
        if group and words + window.words > WINDOW:
            yield group
            group, words = [], 0
        group.append(window)
        words += window.words
    yield group


def _sum_group(group: Sequence[Window], rows: Rows, totals: Totals) -> None:
    table = SpanTable(w.span for w in group)
    totals.begin(table.words)
    longest = max(1, HELD_WORDS // table.words)
    for start in range(0, len(rows), longest):
        stop = min(start + longest, len(rows))
        totals.add(rows.packed(start, stop, table), rows.coefficients[start:stop])


def _write_group(
    kind: PackedKind, group: Sequence[Window], totals: Totals, pages: Pages, weights: Weights | None
) -> None:
    at = 0
    for w in group:
        found = totals.rounded(at, at + w.stop - w.start)
        kept = kind.kept(w.number, w.tensor, w.start, w.stop, weights)
        if kept is not None:
            found[~kept] = 0.0  # not times zero, which would leave -0
        flat = pages.flat(w.tensor.name)
        np.multiply(found, np.float32(pages.scales[w.tensor.name]), out=flat[w.start : w.stop])
        at += w.words * BITS_PER_WORD // kind.entry_bits
