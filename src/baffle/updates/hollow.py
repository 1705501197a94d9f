"""Arrays of zeros that take no memory: for the form of a state, names and shapes alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.updates.ops import NumpyOps


def hollow(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return zeros of a shape, all of them one number in memory; read-only.

    Example:
        >>> hollow((1000, 1000)).strides
        (0, 0)
    """
    return np.broadcast_to(np.float32(0), shape)


class HollowOps(NumpyOps):
    """NumPy, but what begins as an array is hollow: a state made so has a form and no numbers."""

    def asarray(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return hollow zeros of the values' shape."""
        return hollow(values.shape)

    def zeros_like(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return hollow zeros of the same shape."""
        return hollow(array.shape)


HOLLOW = HollowOps()
