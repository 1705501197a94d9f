"""A round's update in parts: for who cannot hold two states at once.

Every tensor's step is its own: directions are drawn by tensor, and no part of a chain looks at
two tensors. So a few tensors are advanced as if they were all of the model, by the same
`Rules.advance`. Where each entry's step is its own as well, a large tensor goes in stretches, all
but its estimate. The parts together are bit for bit what the whole comes to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from baffle.directions import ModelSignature
from baffle.protocol.advance import Rules
from baffle.protocol.messages import Outcome, Plan
from baffle.updates import TrainState
from baffle.updates.some import Some, Stretch
from baffle.updates.state import Slot

PART = 2**18  # entries of a part: 1 MiB a slot


@dataclass(frozen=True)
class Part:
    """All slots of some tensors, or of a stretch of one.

    Args:
        state: with the slots of those tensors; of a stretch, flat.
        first: which entry of the tensor a stretch begins with; 0 where tensors are whole.
    """

    state: TrainState
    first: int = 0


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
) -> Iterator[Part]:
    """Yield the state after a round in parts, with all slots of each.

    A part is made when it is asked for: who lets go of it before the next holds one.

    Args:
        rules: of the run.
        state: after `plan.round` rounds; its slots may read their tensors when asked.
        plan, outcome: of this round.
        entries: most of a part; of an optimiser that looks at whole tensors, at least one tensor.

    Raises:
        ProtocolError, BoundError: as `Rules.advance`, before the first part.
    """
    scales = dict(zip(_names(rules.signature), plan.scale_exponents, strict=False))
    for part in parts_of(rules.signature, entries):
        names = _names(part)
        asked = dataclasses.replace(
            plan, scale_exponents=tuple(scales[name] for name in names if name in scales)
        )
        slots = {slot: Some(tensors, names) for slot, tensors in state.slots.items()}
        some, own = (
            dataclasses.replace(state, slots=slots),
            dataclasses.replace(rules, signature=part),
        )
        if part.dimension > entries and rules.chain.by_entry and not outcome.abandoned:
            yield from _stretches(own, state, own.estimated(some, asked, outcome), asked, entries)
        else:
            yield Part(own.advance(some, asked, outcome))


def _stretches(
    rules: Rules, state: TrainState, estimate: Slot, plan: Plan, entries: int
) -> Iterator[Part]:
    """Yield the next state of the one tensor that these rules train."""
    ((name, whole),) = estimate.items()
    flat = whole.reshape(-1)
    for start in range(0, len(flat), entries):
        stop = min(start + entries, len(flat))
        slots = {slot: Stretch(of, name, start, stop) for slot, of in state.slots.items()}
        before = dataclasses.replace(state, slots=slots)
        own = {name: flat[start:stop]}
        yield Part(rules.chain.apply(before, own, plan.step_size, rules.ops), start)


def _names(signature: ModelSignature) -> tuple[str, ...]:
    return tuple(tensor.name for _, tensor in signature.trained)
