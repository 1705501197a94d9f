"""Random valid messages."""

import numpy as np
from hypothesis import strategies as st

from baffle.protocol import Outcome, Plan, Report
from baffle.quantisation import Quantiser

u32 = st.integers(0, 2**32 - 1)
finite = st.floats(0, 1e300).map(abs)


@st.composite
def plans(draw):
    directions = draw(st.integers(2, 40))
    scales = draw(st.lists(st.integers(-128, 127), max_size=5))
    candidates = draw(st.sampled_from([0, 0, 1, 2, 2**16 - 1]))
    return Plan(
        run=draw(st.binary(min_size=16, max_size=16)),
        round=draw(u32),
        key=draw(st.integers(0, 2**64 - 1)),
        digest=draw(st.binary(min_size=32, max_size=32)),
        num_directions=directions,
        num_local_steps=draw(st.integers(1, 4)),
        kind_code=draw(st.integers(0, 3)),
        density_steps=draw(st.integers(1, 2**16)),
        estimator_code=draw(st.integers(0, 2)),
        pairs=draw(st.integers(0, directions - 2)),
        radius_exponent=draw(st.integers(-128, 127)),
        scale_exponents=tuple(scales) if any(scales) else (),
        step_exponent=draw(st.integers(-126, 126)),
        bits=draw(st.integers(1, 24)),
        batch=draw(st.integers(1, candidates) if candidates else u32),
        weighting=draw(st.sampled_from(["uniform", "examples"])),
        weight_cap=draw(st.integers(1, 2**32 - 1)),
        step_size=draw(finite),
        local_factor=draw(finite),
        groups=draw(st.sampled_from([1, 1, 2, 2**16 - 1])),
        shared_directions=draw(st.booleans()),
        candidates=candidates,
    )


@st.composite
def reports(draw, plan):
    limit = Quantiser(plan.bits, 0).limit
    levels = st.sampled_from([-1, 1]) if plan.bits == 1 else st.integers(-limit, limit)
    values = draw(st.lists(levels, min_size=plan.count, max_size=plan.count))
    return Report(
        run=plan.run[:8],
        round=plan.round,
        client=draw(u32),
        values=np.array(values, dtype=np.int64),
        weight=draw(st.integers(1, plan.weight_cap if plan.weighting == "examples" else 1)),
        loss=draw(st.integers(-(2**31), 2**31 - 1)),
        clips=draw(st.integers(0, plan.count)),
        nonfinite=draw(st.integers(0, plan.count)),
        energy=draw(st.integers(0, 2**48 - 1)),
        odd=draw(st.integers(0, 2**48 - 1)),
        even=draw(st.integers(0, 2**48 - 1)),
    )


@st.composite
def outcomes(draw, plan):
    size = draw(st.sampled_from([1, 2**10, 2**31, 2**62]))
    values = draw(st.lists(st.integers(-size, size), min_size=plan.count, max_size=plan.count))
    u64 = st.integers(0, 2**64 - 1)
    return Outcome(
        run=plan.run,
        round=plan.round,
        reports=draw(st.integers(1, 2**32 - 1)),
        weight=draw(st.integers(1, 2**64 - 1)),
        weight_squares=draw(u64),
        loss=draw(st.integers(-(2**63), 2**63 - 1)),
        clips=draw(u64),
        nonfinite=draw(u64),
        energy=draw(u64),
        odd=draw(u64),
        even=draw(u64),
        values=np.array(values if draw(st.booleans()) else [], dtype=np.int64),
    )
