"""Random valid plans, reports, outcomes and participants."""

from __future__ import annotations

import numpy as np

from baffle.protocol import Outcome, Plan, Report
from baffle.quantisation import Quantiser
from tools.fuzz.draws import Draws

REAL = (0.0, 1e-3, 0.02, 1.0, 5e-324, 1.7e308)
LARGE_COUNT = 1 << 15


def plan(draws: Draws, large: bool = False) -> Plan:
    """Return a valid plan; a large one asks for 32,768 integers."""
    directions = LARGE_COUNT if large else draws.between(2, 40)
    scales = tuple(draws.between(-128, 127) for _ in range(draws.below(6)))
    return Plan(
        run=draws.bytes(16),
        round=draws.bits(32),
        key=draws.bits(64),
        digest=draws.bytes(32),
        num_directions=directions,
        num_local_steps=1 if large else draws.between(1, 3),
        kind_code=draws.below(4),
        density_steps=draws.between(1, 2**16),
        estimator_code=draws.below(3),
        pairs=draws.below(directions - 1),
        radius_exponent=draws.between(-128, 127),
        scale_exponents=scales if any(scales) else (),
        step_exponent=draws.between(-126, 126),
        bits=draws.between(1, 24),
        batch=draws.bits(32),
        weighting=draws.pick(("uniform", "examples")),
        weight_cap=max(1, draws.bits(32)),
        step_size=draws.pick(REAL),
        local_factor=draws.pick(REAL),
    )


def report(draws: Draws, asked: Plan) -> Report:
    """Return a valid answer to a plan."""
    limit = Quantiser(asked.bits, 0).limit
    values = draws.integers(limit, asked.count)
    if asked.bits == 1:
        values = np.where(values > 0, 1, -1).astype(np.int64)
    cap = asked.weight_cap if asked.weighting == "examples" else 1
    return Report(
        run=asked.run[:8],
        round=asked.round,
        client=draws.bits(32),
        values=values,
        weight=1 + draws.below(cap),
        loss=draws.bits(32) - 2**31,
        clips=draws.below(asked.count + 1),
        nonfinite=draws.below(asked.count + 1),
        energy=draws.bits(48),
        odd=draws.bits(48),
        even=draws.bits(48),
    )


def outcome(draws: Draws, asked: Plan, largest: int | None = None) -> Outcome:
    """Return a valid outcome of a plan; one in eight is that of an abandoned round."""
    size = largest or draws.pick((0, 1, 2**10, 2**15, 2**31, 2**62, 2**63 - 1))
    none = draws.chance(8)
    return Outcome(
        run=asked.run,
        round=asked.round,
        reports=max(1, draws.bits(32)),
        weight=max(1, draws.bits(64)),
        weight_squares=draws.bits(64),
        loss=draws.bits(64) - 2**63,
        clips=draws.bits(64),
        nonfinite=draws.bits(64),
        energy=draws.bits(64),
        odd=draws.bits(64),
        even=draws.bits(64),
        values=draws.integers(size, 0 if none else asked.count),
    )


def participants(draws: Draws, count: int) -> tuple[int, ...]:
    """Return ascending client numbers, close together or far apart."""
    bits = draws.between(8, 32)
    return tuple(sorted({draws.bits(bits) for _ in range(count)}))
