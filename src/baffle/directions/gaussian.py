"""Gaussian directions from an integer table, the same bits on every machine.

Sixteen bits an entry: the top one is the sign, the others choose one of 32,768 magnitudes, the
normal distribution's quantiles at the middle of each cell, in units of 2^-12. The quantiles are
scaled so that the table's mean square is one unit; what rounding leaves is stated by `moments`
and pinned by a test: |variance - 1| < 1e-6, excess kurtosis about -0.003, largest entry 4.325.

The table is made on first use from the standard library's inverse normal, whose last bits may
differ between platforms; the rounded table is checked against a pinned SHA-256, so that another
table is an error and never a silent drift.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import Stream
from baffle.directions.exact import FLOAT64_EXACT, Integers, limbs
from baffle.directions.factors import Dense
from baffle.directions.kind import Indices, Weights
from baffle.directions.signature import ModelSignature, TensorSpec
from baffle.errors import ProtocolError

_CELLS = 2**15
_LOOKED_UP = 2**17  # entries at once: 2 MB of indices and entries
TABLE_SHA256 = "8cbdab857d380e7e60b7b1cb1b278ff6bc248f9d124cd4b89d32f367c155c9da"


@cache
def magnitude_table() -> NDArray[np.int16]:
    """Return the 32,768 magnitudes, ascending, in units of 2^-12.

    Raises:
        ProtocolError: this platform computes another table.
    """
    inverse = NormalDist().inv_cdf
    quantiles = np.array([inverse(0.5 + (i + 0.5) / (2 * _CELLS)) for i in range(_CELLS)])
    table = np.rint(quantiles * (4096 / np.sqrt(np.mean(quantiles**2)))).astype("<i2")
    found = hashlib.sha256(table.tobytes()).hexdigest()
    if found != TABLE_SHA256:
        raise ProtocolError(
            f"expected the Gaussian table with SHA-256 {TABLE_SHA256[:16]}…, this platform "
            f"computes {found[:16]}…; use rank_one or rademacher directions here"
        )
    native: NDArray[np.int16] = table.astype(np.int16)
    return native


def moments() -> tuple[float, float]:
    """Return (variance, kurtosis) of an entry, computed from the table; a normal's are (1, 3)."""
    z = magnitude_table().astype(np.float64) / 4096
    variance = float(np.mean(z**2))
    return variance, float(np.mean(z**4)) / variance**2


@cache
def signed_table() -> NDArray[np.int16]:
    """Return the entry of each of the 65,536 halfwords."""
    return np.concatenate((magnitude_table(), -magnitude_table()))


def _values(halfwords: NDArray[np.uint16]) -> NDArray[np.int16]:
    return signed_table().take(halfwords)


class GaussianTotals:
    """Sums of Gaussian directions over a stretch of at most `capacity` packed words.

    Args:
        capacity: in words.
        limit: what no sum can pass; below 2^63.
    """

    def __init__(self, capacity: int, limit: int) -> None:
        wide = np.float64 if limit < FLOAT64_EXACT else np.int64
        self._sums: NDArray[Any] = np.empty(2 * capacity, dtype=wide)
        self._size = 0
        self._table = signed_table().astype(np.float64)

    def begin(self, words: int) -> None:
        """Forget the sums and begin a stretch of this many words."""
        self._size = 2 * words
        self._sums[: self._size] = 0

    def add(self, words: NDArray[np.uint32], coefficients: Integers) -> None:
        """Add coefficients[k] times direction k, whose words are row k of words [n, W]."""
        halfwords = words.astype("<u4", copy=False).view("<u2")
        width = max(1, _LOOKED_UP // len(coefficients))
        parts = list(limbs(coefficients, Gaussian.peak))
        for start in range(0, self._size, width):
            part = slice(start, min(start + width, self._size))
            entries = self._table.take(halfwords[:, part].astype(np.intp), mode="wrap")
            for shift, limb in parts:
                found = (limb.astype(np.float64) @ entries).astype(self._sums.dtype)
                self._sums[part] += found * shift

    def rounded(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the sums of entries start to stop, each rounded once to float32."""
        return self._sums[start:stop].astype(np.float32)


@dataclass(frozen=True)
class Gaussian:
    """Entries close to N(0, 1); the estimate's squared error is (d + 1)/K on a linear loss."""

    name: ClassVar[str] = "gaussian"
    code: ClassVar[int] = 2
    unit_exponent: ClassVar[int] = -12
    peak: ClassVar[int] = 17_715
    entry_bits: ClassVar[int] = 16

    def draw(
        self, stream: Stream, directions: Indices, tensor: TensorSpec, weights: Weights | None
    ) -> Dense:
        """Return int16 [n, *shape]; entry j is halfword j of the stream, the lower half first."""
        words = stream.words(directions, -(-tensor.size // 2)).astype("<u4")
        halfwords = words.view("<u2")[:, : tensor.size]
        return Dense(_values(halfwords).reshape(-1, *tensor.shape), self.peak)

    def entries(
        self,
        stream: Stream,
        direction: int,
        tensor: TensorSpec,
        flat: NDArray[np.int64],
        weights: Weights | None,
    ) -> NDArray[np.int64]:
        """Return single entries by flat index."""
        words = stream.blocks(direction, flat // 8)
        word = np.take_along_axis(words, (flat % 8 // 2)[..., None], axis=-1)[..., 0]
        halfwords = (word >> (16 * (flat % 2)).astype(np.uint32)).astype(np.uint16)
        return _values(halfwords).astype(np.int64)

    def dimension(self, signature: ModelSignature, weights: Weights | None) -> int:
        """Every trained entry."""
        return signature.dimension

    def totals(self, words: int, limit: int) -> GaussianTotals:
        """Return room for sums by the table."""
        return GaussianTotals(words, limit)

    def kept(
        self, number: int, tensor: TensorSpec, start: int, stop: int, weights: Weights | None
    ) -> None:
        """Every entry moves."""
        return
