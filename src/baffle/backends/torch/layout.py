"""Where the bits of ±1 directions stand, and their way to a device's floats.

One draw for all tensors, one table look-up a byte for all parameters of one type and device. What
is multiplied by the radius (out factors, and directions without factors) stands before what is
not, so that one multiplication does for all; the factors are views of the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from baffle.backends.torch.materialise import wide
from baffle.backends.torch.moved import Delta, Low
from baffle.backends.torch.signs import signs
from baffle.directions import ModelSignature, Points, TensorSpec
from baffle.directions.packed import Span, SpanTable, draw_packed
from baffle.directions.philox import BITS_PER_BLOCK, WORDS_PER_BLOCK
from baffle.directions.rank_one import factor_lengths

Home = tuple[torch.dtype, torch.device]


@dataclass(frozen=True)
class Entry:
    """A trained tensor: its place among the radii, its floats' home, its factors or None."""

    place: int
    number: int
    tensor: TensorSpec
    home: Home
    lengths: tuple[int, int, int] | None

    @property
    def scaled(self) -> Bits:
        """The bits of what the radius is multiplied into."""
        return Bits(self.number, 0, (self.lengths[0] if self.lengths else self.tensor.size,))

    @property
    def plain(self) -> tuple[Bits, ...]:
        """The bits of the other factors, if there are any."""
        return (Bits(self.number, self.lengths[0], self.lengths[1:]),) if self.lengths else ()


@dataclass(frozen=True)
class Bits:
    """Runs of bits one behind another in a tensor's stream, the first from bit `start`."""

    number: int
    start: int
    runs: tuple[int, ...]

    @property
    def span(self) -> Span:
        """The blocks that hold them."""
        return Span.of_bits(self.number, self.start, self.start + sum(self.runs))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths of what the blocks hold: bits before, the runs, bits behind."""
        before = self.start % BITS_PER_BLOCK
        behind = self.span.blocks * BITS_PER_BLOCK - before - sum(self.runs)
        return before, *self.runs, behind


class Block:
    """The entries of one home, and where their bits stand: scaled ones first."""

    def __init__(self, entries: list[Entry]) -> None:
        scaled = [e.scaled for e in entries]
        bits = [*scaled, *(p for e in entries for p in e.plain)]
        self.entries = entries
        self.spans = [b.span for b in bits]
        self.words = sum(s.blocks for s in self.spans) * WORDS_PER_BLOCK
        self._sizes = [size for b in bits for size in b.sizes]
        self._widths = [sum(b.sizes) for b in scaled]

    def deltas(self, points: Points, found: Tensor) -> Iterator[tuple[str, Delta]]:
        """Yield (name, delta) from signs [P, columns], which are overwritten."""
        self._scale(points, found)
        parts = found.split_with_sizes(self._sizes, dim=1)
        count = 3 * len(self.entries)
        one = found.new_ones(()).expand(len(found), 1)  # a matrix's kernel
        scaled, plain = parts[1:count:3], iter(parts[count:])
        for entry, values in zip(self.entries, scaled, strict=True):
            if entry.lengths is None:
                yield entry.tensor.name, values.view(-1, *entry.tensor.shape)
            else:
                _, inner, kernel, _ = islice(plain, 4)
                yield entry.tensor.name, Low(values, inner, kernel if entry.lengths[2] else one)

    def _scale(self, points: Points, found: Tensor) -> None:
        exponents = [points.radius_exponents[e.place] for e in self.entries]
        if len(set(exponents)) == 1:
            exponents, widths = exponents[:1], [sum(self._widths)]
        else:
            widths = self._widths
        start = 0
        for exponent, width in zip(exponents, widths, strict=True):
            found[:, start : start + width].mul_(_sigma(points, exponent, found))
            start += width


def _sigma(points: Points, exponent: int, like: Tensor) -> Tensor:
    """Return the points' signs times a radius as a column; exact in every type that holds it."""
    return torch.from_numpy(points.scale(exponent)).to(like).unsqueeze(1)


class Layout:
    """Where the bits of the directions of a module's parameters stand.

    Args:
        signature: the model's.
        parameters: the trained ones by name, or some of them.
        factored: whether directions of two axes or more are rank-one.
    """

    def __init__(
        self, signature: ModelSignature, parameters: Mapping[str, Tensor], factored: bool
    ) -> None:
        entries = list(_entries(signature, parameters, factored))
        homes = dict.fromkeys(entry.home for entry in entries)
        self._blocks = {home: Block([e for e in entries if e.home == home]) for home in homes}
        self._table = SpanTable(span for block in self._blocks.values() for span in block.spans)

    def deltas(self, points: Points) -> dict[str, Delta]:
        """Draw the points' directions; return what is added to each parameter, by name."""
        words = draw_packed(points.place, points.directions, self._table)
        found: dict[str, Delta] = {}
        start = 0
        for (dtype, device), block in self._blocks.items():
            part = words[:, start : start + block.words]
            found.update(block.deltas(points, signs(part, dtype, device)))
            start += block.words
        return found


def _entries(
    signature: ModelSignature, parameters: Mapping[str, Tensor], factored: bool
) -> Iterator[Entry]:
    for place, (number, tensor) in enumerate(signature.trained):
        like = parameters.get(tensor.name)
        if like is None:
            continue
        low = factored and len(tensor.shape) >= 2
        lengths = factor_lengths(tensor.shape) if low else None
        home = like.dtype if low else wide(like.dtype), like.device
        yield Entry(place, number, tensor, home, lengths)
