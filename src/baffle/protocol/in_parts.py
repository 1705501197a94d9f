"""A round's update a few tensors at a time: for who cannot hold two states at once.

Every tensor's step is its own: directions are drawn by tensor, and no part of a chain looks at
two tensors. So a part of a model is advanced as if it were all of it, by the same `Rules.advance`,
and the parts together are bit for bit what the whole comes to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from baffle.directions import ModelSignature
from baffle.protocol.advance import Rules
from baffle.protocol.messages import Outcome, Plan
from baffle.updates import TrainState

PART = 2**18  # entries of a part: 1 MiB a slot, or one tensor if that is larger


@dataclass(frozen=True, eq=False)
class Some(Mapping[str, Any]):
    """Some of a slot's tensors; one that is read when asked for stays so.

    Args:
        slot: all of them.
        names: of those that are in it.
    """

    slot: Mapping[str, Any]
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> Any:
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


@lru_cache(maxsize=2)
def parts_of(signature: ModelSignature, entries: int = PART) -> tuple[ModelSignature, ...]:
    """Return a model in parts that train some tensors each, all of them once.

    Tensors keep their numbers, which their directions are drawn by.

    Args:
        signature: of the model.
        entries: most of a part, or one tensor.
    """
    groups: list[set[int]] = []
    held = 0
    for number, tensor in signature.trained:
        if groups and held + tensor.size <= entries:
            groups[-1].add(number)
            held += tensor.size
        else:
            groups.append({number})
            held = tensor.size
    return tuple(_trained_alone(signature, group) for group in groups)


def _trained_alone(signature: ModelSignature, numbers: set[int]) -> ModelSignature:
    tensors = (
        dataclasses.replace(tensor, trainable=number in numbers)
        for number, tensor in enumerate(signature.tensors)
    )
    return ModelSignature(tuple(tensors), signature.frozen_digest)


def advance_in_parts(
    rules: Rules, state: TrainState, plan: Plan, outcome: Outcome, entries: int = PART
) -> Iterator[TrainState]:
    """Yield the state after a round in parts, each with all slots of some tensors.

    A part is made when it is asked for: who lets go of it before the next holds one.

    Args:
        rules: of the run.
        state: after `plan.round` rounds; its slots may read their tensors when asked.
        plan, outcome: of this round.
        entries: of a part, see `parts_of`.

    Raises:
        ProtocolError, BoundError: as `Rules.advance`, before the first part.
    """
    scales = dict(zip(_names(rules.signature), plan.scale_exponents, strict=False))
    for part in parts_of(rules.signature, entries):
        names = _names(part)
        own = dataclasses.replace(
            plan, scale_exponents=tuple(scales[name] for name in names if name in scales)
        )
        slots = {slot: Some(tensors, names) for slot, tensors in state.slots.items()}
        some = dataclasses.replace(state, slots=slots)
        yield dataclasses.replace(rules, signature=part).advance(some, own, outcome)


def _names(signature: ModelSignature) -> tuple[str, ...]:
    return tuple(tensor.name for _, tensor in signature.trained)
