"""Where an estimate is written: one flat array that all tensors are views of.

One allocation, because fresh memory costs more than the sums: of 14 MB in twelve arrays, the C
library gives the pages back and takes them again every round, which took 7 ms where the products
took 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from baffle.directions import ModelSignature
from baffle.updates.state import Array, Slot


@dataclass(frozen=True)
class Pages:
    """Float32 entries [d], where each tensor's stand, and what its sums are multiplied by.

    Args:
        entries: one array of any library.
        places: by name.
        scales: by name, already rounded to float32.
    """

    entries: Array
    places: Mapping[str, slice]
    scales: Mapping[str, float]

    def flat(self, name: str) -> Array:
        """Return a tensor's entries as a flat view."""
        return self.entries[self.places[name]]

    def shaped(self, signature: ModelSignature, entries: Array) -> Slot:
        """Return views in the tensors' shapes of entries that may have moved elsewhere."""
        return {
            tensor.name: entries[self.places[tensor.name]].reshape(tensor.shape)
            for _, tensor in signature.trained
        }


def places_of(signature: ModelSignature) -> dict[str, slice]:
    """Return where each trained tensor's entries stand, in canonical order."""
    places, start = {}, 0
    for _, tensor in signature.trained:
        places[tensor.name] = slice(start, start + tensor.size)
        start += tensor.size
    return places
