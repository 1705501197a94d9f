"""What a model is, as far as two machines must agree on it: names, shapes, dtypes, roles.

Tensors are numbered by name, in the order of the names' UTF-8 bytes. The number is a coordinate
of the random stream, so that two layers of equal shape never get equal noise.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from baffle.directions.coordinates import MAX_TENSOR
from baffle.errors import ModelError, SignatureMismatch


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a model: its name, shape, dtype ("float32", …) and whether it is trained."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    trainable: bool = True

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        role = "trainable" if self.trainable else "frozen"
        return f"{self.name} {list(self.shape)} {self.dtype} {role}"


@dataclass(frozen=True)
class ModelSignature:
    """The tensors of a model in canonical order, and a digest of what is not trained.

    Args:
        tensors: every parameter and buffer once (a tied tensor under its first name).
        frozen_digest: SHA-256 over the values of the tensors that are not trained, so that a
            client with other frozen weights is noticed; empty when there are none.

    Raises:
        ModelError: two tensors share a name, or nothing is trainable.

    Example:
        >>> s = ModelSignature((TensorSpec("b", (2,)), TensorSpec("a", (3, 2))))
        >>> [t.name for t in s.tensors], s.dimension
        (['a', 'b'], 8)
    """

    tensors: tuple[TensorSpec, ...]
    frozen_digest: bytes = field(default=b"")

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.tensors, key=lambda t: t.name.encode()))
        object.__setattr__(self, "tensors", ordered)
        names = [t.name for t in ordered]
        if len(set(names)) != len(names):
            twice = sorted({n for n in names if names.count(n) > 1})
            raise ModelError(
                f"expected one tensor a name, got these names twice: {', '.join(twice)}"
            )
        if len(names) > MAX_TENSOR + 1:
            raise ModelError(f"expected at most {MAX_TENSOR + 1} tensors, got {len(names)}")
        if not any(t.trainable and t.size for t in ordered):
            raise ModelError(
                "expected a model with at least one trainable tensor, got none; "
                "set requires_grad on what is to be trained"
            )

    def trainable(self) -> Iterator[tuple[int, TensorSpec]]:
        """Yield (number, tensor) of the trained tensors, in canonical order."""
        return ((i, t) for i, t in enumerate(self.tensors) if t.trainable and t.size)

    @cached_property
    def trained(self) -> tuple[tuple[int, TensorSpec], ...]:
        """The pairs of `trainable`, kept."""
        return tuple(self.trainable())

    @cached_property
    def dimension(self) -> int:
        """Number of trained entries, d."""
        return sum(t.size for _, t in self.trained)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical text of the signature; 32 bytes."""
        text = "\n".join(str(t) for t in self.tensors) + "\n" + self.frozen_digest.hex()
        return hashlib.sha256(b"baffle signature 1\n" + text.encode()).digest()

    def require(self, other: ModelSignature, whose: str) -> None:
        """Raise SignatureMismatch with every difference spelled out unless `other` is the same."""
        if self.digest == other.digest:
            return
        mine, theirs = ({str(t) for t in s.tensors} for s in (self, other))
        missing = [f"expected {t}" for t in sorted(mine - theirs)]
        extra = [f"got {t}" for t in sorted(theirs - mine)]
        if not missing and not extra:
            extra = ["the tensors are alike but the values of frozen ones differ"]
        raise SignatureMismatch(
            f"the model of {whose} is not the one of this run: " + "; ".join(missing + extra)
        )
