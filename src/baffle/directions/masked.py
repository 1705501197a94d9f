"""±1 directions on a subset of entries: a pruned model's zeros stay zero.

An entry of a pruned tensor moves if its weight is not zero now and, below density 1, if a run-long
draw chose it. A tensor counts as pruned when it has two axes or more and is not zero throughout
(biases and LoRA's zero factor begin at zero and must be able to move).
"Not zero now" needs no stored mask: every replica holds the same weights bit for bit, an entry
that does not move gets an estimate of exactly zero, and its weight stays exactly zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.factors import Dense
from baffle.directions.kind import Indices, Weights
from baffle.directions.rademacher import Rademacher
from baffle.directions.signature import ModelSignature, TensorSpec
from baffle.directions.tables import SignTotals
from baffle.errors import ConfigError, ModelError

_DENSE = Rademacher()
DENSITY_STEPS = 2**16


def share_of_zeros(values: NDArray[np.floating]) -> float:
    """Return the share of a tensor's entries that masked directions keep at zero.

    Example:
        >>> share_of_zeros(np.eye(4)), share_of_zeros(np.zeros((2, 2))), share_of_zeros(np.zeros(3))
        (0.75, 0.0, 0.0)
    """
    moving = int(np.count_nonzero(values))
    return 1 - moving / values.size if values.ndim >= 2 and moving else 0.0


@dataclass(frozen=True)
class Masked:
    """±1 on chosen entries, 0 elsewhere.

    Args:
        density: share of entries chosen by the run's draw, in (0, 1]; it is rounded to 1/65,536.
        key: the run key, which the draw is a function of.
    """

    density: float = 1.0
    key: int = 0

    name: ClassVar[str] = "masked"
    code: ClassVar[int] = 3
    unit_exponent: ClassVar[int] = 0
    peak: ClassVar[int] = 1
    entry_bits: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not 0 < round(self.density * DENSITY_STEPS) <= DENSITY_STEPS:
            raise ConfigError(f"mask density must lie in (0, 1], got {self.density}")

    def _chosen(self, tensor_number: int, flat: NDArray[np.int64]) -> NDArray[np.bool_]:
        limit = round(self.density * DENSITY_STEPS)
        if limit == DENSITY_STEPS:
            return np.ones(flat.shape, dtype=bool)
        stream = Stream(self.key, Purpose.MASK, tensor=tensor_number)
        words = stream.blocks(0, flat // 4)
        word = np.take_along_axis(words, (flat % 4)[..., None], axis=-1)[..., 0]
        return (word >> 16) < limit

    def mask(
        self, tensor_number: int, tensor: TensorSpec, weights: Weights | None
    ) -> NDArray[np.bool_]:
        """Return which entries of a tensor move now; bool of the tensor's shape."""
        flat = np.arange(tensor.size, dtype=np.int64)
        return self._mask_at(tensor_number, tensor, flat, weights).reshape(tensor.shape)

    def _mask_at(
        self, number: int, tensor: TensorSpec, flat: NDArray[np.int64], weights: Weights | None
    ) -> NDArray[np.bool_]:
        if weights is None:
            raise ModelError("masked directions need the weights, whose zeros they keep")
        values = weights[tensor.name].reshape(-1)
        chosen = self._chosen(number, flat)
        pruned = len(tensor.shape) >= 2 and values.any()
        return chosen & (values[flat] != 0) if pruned else chosen

    def draw(
        self, stream: Stream, directions: Indices, tensor: TensorSpec, weights: Weights | None
    ) -> Dense:
        """Return int8 [n, *shape] with zeros outside the mask."""
        full = _DENSE.draw(stream, directions, tensor, weights).values
        keep = self.mask(stream.tensor, tensor, weights)
        return Dense((full * keep).astype(np.int8), self.peak)

    def entries(
        self,
        stream: Stream,
        direction: int,
        tensor: TensorSpec,
        flat: NDArray[np.int64],
        weights: Weights | None,
    ) -> NDArray[np.int64]:
        """Return single entries by flat index."""
        keep = self._mask_at(stream.tensor, tensor, flat, weights)
        return _DENSE.entries(stream, direction, tensor, flat, weights) * keep

    def totals(self, words: int, limit: int) -> SignTotals:
        """Return room for the sums of the ±1 directions before they are masked."""
        return SignTotals(words, limit)

    def kept(
        self, number: int, tensor: TensorSpec, start: int, stop: int, weights: Weights | None
    ) -> NDArray[np.bool_]:
        """Return which entries move: the mask is the same in every direction of a round."""
        return self._mask_at(number, tensor, np.arange(start, stop, dtype=np.int64), weights)

    def dimension(self, signature: ModelSignature, weights: Weights | None) -> int:
        """Number of entries that move now."""
        return sum(int(self.mask(i, t, weights).sum()) for i, t in signature.trained)

    def keyed(self, key: int) -> Masked:
        """Return the same kind under a run key."""
        return replace(self, key=key)
