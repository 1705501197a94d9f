"""Bilinear resizing of images, as two small matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.data.base import Floats

_CHUNK = 4096  # images at a time, so that the intermediate stays small


def bilinear_matrix(source: int, target: int) -> NDArray[np.float64]:
    """The matrix that resizes one axis: half-pixel centres, edges held, no antialiasing.

    Args:
        source: the axis' length now.
        target: its length afterwards.

    Returns:
        Weights (target, source); each row sums to 1 and has at most two entries that are not 0.

    Example:
        >>> bilinear_matrix(2, 4)
        array([[1.  , 0.  ],
               [0.75, 0.25],
               [0.25, 0.75],
               [0.  , 1.  ]])
    """
    centres = np.maximum((np.arange(target) + 0.5) * (source / target) - 0.5, 0.0)
    low = np.minimum(np.floor(centres).astype(np.int64), source - 1)
    high = np.minimum(low + 1, source - 1)
    matrix = np.zeros((target, source))
    rows = np.arange(target)
    np.add.at(matrix, (rows, low), 1.0 - (centres - low))
    np.add.at(matrix, (rows, high), centres - low)
    return matrix


def resize(images: Floats, size: int) -> Floats:
    """Square images of another size.

    Equal to torch.nn.functional.interpolate(mode="bilinear", align_corners=False) up to rounding.

    Args:
        images: float32 (n, height, width).
        size: pixels a side.

    Returns:
        float32 (n, size, size).

    Example:
        >>> resize(np.array([[[0, 4], [0, 4]]], np.float32), 4)[0, 0]
        array([0., 1., 3., 4.], dtype=float32)
    """
    rows = bilinear_matrix(images.shape[1], size).astype(np.float32)
    columns = bilinear_matrix(images.shape[2], size).astype(np.float32).T
    out = np.empty((len(images), size, size), np.float32)
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        np.matmul(rows, images[part] @ columns, out=out[part])
    return out
