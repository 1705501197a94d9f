"""Some of a slot: a few of its tensors, or a stretch of one; read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from baffle.updates.state import Array, Slot


@runtime_checkable
class ReadByEntry(Protocol):
    """A slot that can read some of a tensor without the rest."""

    def entries(self, name: str, start: int, stop: int) -> Array:
        """Return a tensor's entries start to stop, flat."""
        ...


@dataclass(frozen=True, eq=False)
class Some(Mapping[str, Array]):
    """Some of a slot's tensors.

    Args:
        slot: all of them.
        names: of those that are in it.
    """

    slot: Slot
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> Array:
        """Return a tensor."""
        if name not in self.names:
            raise KeyError(name)
        return self.slot[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self.names)

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Stretch(Mapping[str, Array]):
    """Entries start to stop of one of a slot's tensors, flat, under its name.

    Args:
        slot: whose tensor it is.
        name: of the tensor.
        start, stop: of its entries.
    """

    slot: Slot
    name: str
    start: int
    stop: int

    def __getitem__(self, name: str) -> Array:
        """Return the entries."""
        if name != self.name:
            raise KeyError(name)
        if isinstance(self.slot, ReadByEntry):
            return self.slot.entries(name, self.start, self.stop)
        return self.slot[name].reshape(-1)[self.start : self.stop]

    def __iter__(self) -> Iterator[str]:
        """Yield the name."""
        yield self.name

    def __len__(self) -> int:
        """Return 1."""
        return 1
