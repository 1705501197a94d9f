"""What a decoder under fire looks like to the one who fires."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from baffle.errors import DecodeError
from tools.fuzz.draws import Draws
from tools.fuzz.mutations import Sample, mutated

POOL, LARGE = 192, 3  # valid messages that a block is made from, and large ones among them
HONEST = 24  # one input in so many is left as it is, and must be accepted


class Case(NamedTuple):
    """One input.

    Args:
        data: what is decoded.
        honest: whether it is valid.
        about: what the decoder is told besides, or what the checks compare with.
        size: length in bytes.
    """

    data: Any
    honest: bool
    about: Any
    size: int


class Target(ABC):
    """A decoder, its inputs, and what must hold for them.

    Attributes:
        name: as on the command line.
        errors: what it may raise.
        slope, constant: no input of n bytes takes more than slope · n + constant bytes of memory.
    """

    name: ClassVar[str]
    errors: ClassVar[tuple[type[Exception], ...]] = (DecodeError,)
    slope: ClassVar[int] = 16
    constant: ClassVar[int] = 1 << 14

    @abstractmethod
    def prepare(self, draws: Draws) -> None:
        """Make the valid messages of a block."""

    @abstractmethod
    def draw(self, draws: Draws, large: bool) -> Case:
        """Return the next input, seldom a large one."""

    @abstractmethod
    def decode(self, case: Case) -> Any:
        """Call the decoder."""

    @abstractmethod
    def wrong(self, case: Case, value: Any) -> str | None:
        """Return what is wrong with having accepted this, or None."""


class Bytes(Target):
    """A decoder from bytes, possibly with something told besides: (sample, about) pairs."""

    samples: Sequence[tuple[Sample, Any]]
    large: Sequence[tuple[Sample, Any]]

    @abstractmethod
    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a valid message and what its decoder is told besides."""

    def prepare(self, draws: Draws) -> None:
        """Make the valid messages of a block."""
        self.samples = [self.sample(draws, False) for _ in range(POOL)]
        self.large = [self.sample(draws, True) for _ in range(LARGE)]
        self._pools = [s for s, _ in self.samples], [s for s, _ in self.large]

    def draw(self, draws: Draws, large: bool) -> Case:
        """Return a valid message or a mutated one."""
        sample, about = draws.pick(self.large if large else self.samples)
        if draws.chance(HONEST):
            return Case(sample.data, True, about, len(sample.data))
        data = self.mutate(draws, sample, self._pools[large])
        return Case(data, data == sample.data, about, len(data))

    def mutate(self, draws: Draws, sample: Sample, pool: Sequence[Sample]) -> Any:
        """Return hostile bytes."""
        return mutated(draws, sample, pool)


def differing(checks: dict[str, bool]) -> str | None:
    """Return the names of the checks that failed, or None."""
    failed = [name for name, good in checks.items() if not good]
    return ", ".join(failed) or None
