"""Directions of a client's own, drawn block by block: memory does not grow with K."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor

BLOCK_BYTES = 2 << 20


def normals(generator: Generator, count: int, dimension: int) -> Iterator[Tensor]:
    """Yield standard normal directions, float32 [P, d] a block, `count` rows in all.

    A block's memory is written anew for the next one.

    Args:
        generator: whose draws they are.
        count: K.
        dimension: d.

    Example:
        >>> import torch
        >>> [len(block) for block in normals(torch.Generator().manual_seed(0), 200, 4810)]
        [109, 91]
    """
    import torch

    size = max(1, min(count, BLOCK_BYTES // (4 * dimension)))
    held = torch.empty(size, dimension)
    for start in range(0, count, size):
        yield held[: min(size, count - start)].normal_(generator=generator)


def signs(generator: Generator, count: int, dimension: int) -> Iterator[Tensor]:
    """Yield directions of ±1, float32 [P, d] a block, `count` rows in all."""
    import torch

    size = max(1, min(count, BLOCK_BYTES // (4 * dimension)))
    for start in range(0, count, size):
        shape = (min(size, count - start), dimension)
        yield torch.randint(2, shape, generator=generator).float().mul_(2).sub_(1)


def on_sphere(normal: Tensor) -> Tensor:
    """Return normal vectors scaled to length 1: uniform on the unit sphere; in place."""
    return normal.div_(normal.norm(dim=1, keepdim=True))
