"""What training carries from round to round: weights, optimiser slots and averages, by name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.directions import ModelSignature
from baffle.errors import ModelError

Array = Any  # a float32 numpy array, or a tensor of the backend whose Ops are used
Slot = Mapping[str, Array]
WEIGHTS = "weights"
EMA = "ema"


@dataclass(frozen=True)
class TrainState:
    """The model after `round` closed rounds.

    Args:
        round: number of rounds that made it, abandoned ones included.
        slots: by slot ("weights", "ema", "adam.first", …) and tensor name, float32 arrays; those
            of NumPy become read-only. A slot that is no dict may read its tensors when asked.
        updates: number of rounds that changed the weights; bias corrections count these.

    Example:
        >>> TrainState(0, {"weights": {"w": np.zeros(2, np.float32)}}).digest().hex()[:8]
        '79937115'
    """

    round: int
    slots: Mapping[str, Slot]
    updates: int = 0

    def __post_init__(self) -> None:
        """Make NumPy arrays read-only: who loaded a state need not load it again."""
        for arrays in self.slots.values():
            for array in arrays.values() if isinstance(arrays, dict) else ():
                if isinstance(array, np.ndarray):
                    array.flags.writeable = False

    @property
    def weights(self) -> Slot:
        """The weights that the next round probes."""
        return self.slots[WEIGHTS]

    @property
    def served(self) -> Slot:
        """The weights to evaluate and to ship: the averaged ones if there are any."""
        return self.slots.get(EMA, self.slots[WEIGHTS])

    def with_slots(self, **changed: Slot) -> TrainState:
        """Return a copy with some slots replaced."""
        return replace(self, slots={**self.slots, **changed})

    def only(self, slot: str) -> TrainState:
        """Return a copy with one slot."""
        return replace(self, slots={slot: self.slots[slot]})

    def numpy(self) -> dict[str, dict[str, NDArray[np.float32]]]:
        """Return the slots as contiguous little-endian float32 arrays."""
        return {
            slot: {name: _plain(array) for name, array in arrays.items()}
            for slot, arrays in self.slots.items()
        }

    def digest(self) -> bytes:
        """Return SHA-256 over round, names, shapes and bytes of every slot; 32 bytes.

        One tensor is looked at after another, so that a state on disk need not be in memory.
        """
        counts = self.round.to_bytes(8, "little") + self.updates.to_bytes(8, "little")
        found = hashlib.sha256(b"baffle state 1\n" + counts)
        for slot in sorted(self.slots):
            for name in sorted(self.slots[slot], key=str.encode):
                array = _plain(self.slots[slot][name])
                found.update(f"{slot}/{name} {list(array.shape)}\n".encode())
                found.update(np.ascontiguousarray(array).data if array.size else b"")
        return found.digest()

    def require_fits(self, signature: ModelSignature) -> None:
        """Raise ModelError unless the weights are exactly the signature's trained tensors."""
        expected = {t.name: t.shape for _, t in signature.trained}
        found = {name: tuple(a.shape) for name, a in self.weights.items()}
        if expected != found:
            wrong = sorted(set(expected.items()) ^ set(found.items()))
            raise ModelError(f"weights do not fit the model: {wrong[:4]} stand on one side only")


def _plain(array: Array) -> NDArray[np.float32]:
    """Return an array of any library as NumPy's, contiguous and little-endian."""
    return np.asarray(array, dtype="<f4", order="C")
