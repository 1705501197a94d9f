"""Which pieces of a module to compute twice, so that the least is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

FEWEST = 4  # layers of a chain that is cut into segments


@dataclass(frozen=True)
class Piece:
    """What is computed twice as a whole.

    Args:
        module: that it is, or is in.
        layers: a segment of a Sequential; empty for the whole module.
    """

    module: nn.Module
    layers: tuple[nn.Module, ...] = ()

    @property
    def size(self) -> int:
        """Layers in it."""
        return sum(map(_size, self.layers or (self.module,)))


def pieces_of(module: nn.Module) -> list[Piece]:
    """Return the pieces that keep least, counted in layers' outputs.

    A module of P pieces and S layers outside any keeps P - 1 + S outputs, and those of the largest
    piece while that is computed again. From the whole module on, the largest pieces are replaced by
    their children, or by ⌈√L⌉ segments if they are a plain chain of L layers; the best stage is
    taken. That finds the blocks of a network, in whatever lists they are.

    Returns:
        At least two; none where no stage keeps less than the layers' outputs themselves.

    Example:
        >>> block = lambda: nn.TransformerEncoderLayer(4, 2)
        >>> model = nn.ModuleDict({"blocks": nn.ModuleList([block() for _ in range(3)])})
        >>> [type(piece.module).__name__ for piece in pieces_of(model)]
        ['TransformerEncoderLayer', 'TransformerEncoderLayer', 'TransformerEncoderLayer']
        >>> pieces_of(nn.Linear(4, 4))
        []
    """
    pieces, single = [Piece(module)], 0
    best: list[Piece] = []
    least = _size(module)
    while opened := _largest(pieces):
        parts = [part for piece in opened for part in _children(piece.module)]
        single += sum(part.size == 1 and not part.layers for part in parts)
        pieces = [p for p in pieces if p not in opened] + [
            p for p in parts if p.size > 1 or p.layers
        ]
        pieces = list(dict.fromkeys(pieces))  # one that stands in two places is one
        keeps = len(pieces) - 1 + single + max((p.size for p in pieces), default=0)
        if len(pieces) > 1 and keeps < least and all(map(_callable, pieces)):
            best, least = pieces, keeps
    return best


def _largest(pieces: list[Piece]) -> list[Piece]:
    """Return what to open next: what cannot be called, else the largest that have children."""
    lists = [p for p in pieces if not _callable(p)]
    opening = [p for p in pieces if not p.layers]
    most = max((p.size for p in opening), default=0)
    return lists or [p for p in opening if p.size == most > 1]


def _children(module: nn.Module) -> list[Piece]:
    children = _layers(module)
    if not _chain(module):
        return [Piece(child) for child in children]
    length = math.ceil(len(children) / math.ceil(math.sqrt(len(children))))
    starts = range(0, len(children), length)
    return [Piece(module, tuple(children[at : at + length])) for at in starts]


def _chain(module: nn.Module) -> bool:
    layers, plain = _layers(module), type(module).forward is nn.Sequential.forward
    return plain and len(layers) >= FEWEST and all(_size(layer) == 1 for layer in layers)


def _layers(module: nn.Module) -> list[nn.Module]:
    """Return children in order; one that stands in two places comes twice."""
    return [child for child in module._modules.values() if child is not None]


def _callable(piece: Piece) -> bool:
    """Say whether a piece can be called; a ModuleList cannot."""
    return type(piece.module).forward is not nn.Module.forward


def _size(module: nn.Module) -> int:
    return max(1, sum(not part._modules for part in module.modules()))
