"""Every optimiser and kind: a round's update in parts is bit for bit the update of the whole."""

import numpy as np
import pytest

from baffle.directions import ModelSignature, TensorSpec
from baffle.protocol import Outcome, Plan, Rules
from baffle.protocol.in_parts import advance_in_parts, parts_of
from baffle.updates import OPTIMISERS, TrainState, UpdateSpec
from baffle.updates.some import Some, Stretch
from tests.contract.battery import SIGNATURE, kinds, weights

ENTRIES = [1, 13, 10**6]  # of a part: an entry, a few tensors together and some cut, all at once
SPECS = [
    UpdateSpec(name, l2=5e-4, decoupled_decay=1e-2, average=0.9, normalised=bool(n % 2), energies=e)
    for n, name in enumerate(OPTIMISERS)
    for e in (0.0, 0.98)
]
DIRECTIONS, STEPS = 24, 2


def plan_of(kind, round_, scales):
    return Plan(
        bytes(16), round_, 7, bytes(32), DIRECTIONS, STEPS, kind.code,
        density_steps=2**14, estimator_code=0, pairs=0, radius_exponent=-9, scale_exponents=scales,
        step_exponent=-9, bits=16, batch=0, weighting="uniform", weight_cap=1,
        step_size=0.05 / (round_ + 1), local_factor=0.0,
    )  # fmt: skip


def outcome_of(round_, abandoned=False):
    values = np.random.default_rng(round_).integers(-30_000, 30_000, DIRECTIONS * STEPS)
    return Outcome(bytes(16), round_, 3, 7, 9, 0, 0, 0, 0, 0, 0, values[: 0 if abandoned else None])


def joined(parts, like):
    slots: dict[str, dict] = {slot: {} for slot in like.slots}
    for part in parts:
        for slot, tensors in part.state.slots.items():
            for name in tensors:
                slots[slot].setdefault(name, []).append((part.first, tensors[name]))
    whole = {
        slot: {
            name: np.concatenate([a.reshape(-1) for _, a in cuts]).reshape(
                like.slots[slot][name].shape
            )
            for name, cuts in tensors.items()
        }
        for slot, tensors in slots.items()
    }
    for tensors in slots.values():
        for cuts in tensors.values():
            sizes = [0, *(a.size for _, a in cuts)]
            assert [first for first, _ in cuts] == list(np.cumsum(sizes)[:-1])
    return TrainState(part.state.round, whole, part.state.updates)


@pytest.mark.parametrize("entries", ENTRIES)
@pytest.mark.parametrize("kind", kinds(), ids=lambda k: f"{k.name}-{getattr(k, 'density', '')}")
@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.optimiser}-{s.energies}")
def test_the_parts_are_the_whole(spec, kind, entries):
    rules = Rules(SIGNATURE, spec.chain(), spec.normalised)
    whole = parted = rules.start(weights())
    for round_ in range(3):
        scales = tuple(range(-3, 4)) if round_ else ()
        plan, outcome = plan_of(kind, round_, scales), outcome_of(round_, abandoned=round_ == 1)
        whole = rules.advance(whole, plan, outcome)
        parted = joined(advance_in_parts(rules, parted, plan, outcome, entries), whole)
        assert parted.digest() == whole.digest()
    assert whole.updates == 2


def test_every_tensor_is_in_one_part_under_its_own_number():
    frozen = TensorSpec("a", (2, 2), trainable=False)
    model = ModelSignature((frozen, *SIGNATURE.tensors))
    for entries in ENTRIES:
        parts = parts_of(model, entries)
        assert tuple(pair for part in parts for pair in part.trained) == model.trained
        assert all(p.dimension <= entries or len(p.trained) == 1 for p in parts)


def test_a_part_reads_no_tensor_of_another():
    class Watched(dict):
        def __getitem__(self, name):
            seen.append(name)
            return super().__getitem__(name)

    seen: list[str] = []
    rules = Rules(SIGNATURE, UpdateSpec("sgd").chain(), normalised=False)
    state = TrainState(0, {"weights": Watched(weights())})
    parts = advance_in_parts(rules, state, plan_of(kinds()[0], 0, ()), outcome_of(0), entries=1)
    next(parts)
    assert set(seen) == {"t0"}
    for some in (Some(state.weights, ("t0",)), Stretch(state.weights, "t0", 0, 1)):
        assert list(some) == ["t0"]
        assert len(some) == 1
        with pytest.raises(KeyError):
            some["t1"]
