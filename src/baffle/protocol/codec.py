"""Messages to bytes and back: versioned, canonical, strict. One encoding a message.

All integers are little-endian. Lengths are checked against what the message itself and the plan
say before anything is allocated. Layouts are written down in docs/protocol.md.
"""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import NDArray

from baffle.directions import DENSITY_STEPS, KINDS
from baffle.directions.coordinates import MAX_STEP
from baffle.errors import DecodeError
from baffle.estimators import ESTIMATOR_BY_CODE
from baffle.estimators.mean_baseline import MeanBaseline
from baffle.protocol.messages import WEIGHTINGS, Outcome, Plan, Report
from baffle.protocol.packing import pack, packed_size, unpack, width_for
from baffle.quantisation import MAX_BITS, MAX_STEP_EXPONENT, MIN_BITS

# Plans with groups, and those whose clients pick examples; everything else has one version.
VERSION, GROUPED, PICKING = 1, 2, 3
PLAN, REPORT, OUTCOME = 0x50, 0x52, 0x4F
MAX_COUNT = 2**24  # integers in one report: 16,777,216 directions times local steps
RUN_PREFIX = 8

_PLAN = struct.Struct("<BB16sIQ32sIHBHBIbbBIBIddH")
_GROUPS = struct.Struct("<H?")
_CANDIDATES = struct.Struct("<H")
_REPORT = struct.Struct("<BB8sIIIIiII6s6s6s")
_OUTCOME = struct.Struct("<BB16sIIQQqQQQQQBI")
REPORT_HEADER = _REPORT.size


def _split(
    what: str, layout: struct.Struct, data: bytes, code: int, versions: tuple[int, ...] = (VERSION,)
) -> tuple[tuple, bytes]:  # type: ignore[type-arg]
    if len(data) < layout.size:
        raise DecodeError(f"{what}: expected at least {layout.size} bytes, got {len(data)}")
    fields = layout.unpack_from(data)
    if fields[0] != code:
        raise DecodeError(f"{what}: expected type byte {code:#04x}, got {fields[0]:#04x}")
    if fields[1] not in versions:
        known = " or ".join(map(str, versions))
        raise DecodeError(
            f"{what}: expected version {known}, got {fields[1]}; upgrade the older side"
        )
    return fields[2:], data[layout.size :]


def _need(what: str, condition: bool, field: str, got: object) -> None:
    if not condition:
        raise DecodeError(f"{what}: {field}, got {got}")


def _rest_is(what: str, rest: bytes, size: int) -> None:
    if len(rest) != size:
        raise DecodeError(f"{what}: expected {size} bytes after the header, got {len(rest)}")


def encode_plan(plan: Plan) -> bytes:
    """Return a plan's one encoding: 106 bytes, one more a tensor when radii differ.

    With groups it has version 2 and three bytes more at its end; with candidates version 3 and two
    bytes after those three.
    """
    scales, version = plan.scale_exponents, _plan_version(plan)
    return _PLAN.pack(
        PLAN, version, plan.run, plan.round, plan.key, plan.digest,
        plan.num_directions, plan.num_local_steps, plan.kind_code, plan.density_steps - 1,
        plan.estimator_code, plan.pairs, plan.radius_exponent, plan.step_exponent, plan.bits,
        plan.batch, WEIGHTINGS.index(plan.weighting), plan.weight_cap, plan.step_size,
        plan.local_factor, len(scales),
    ) + struct.pack(f"<{len(scales)}b", *scales) + _tail(plan, version)  # fmt: skip


def _plan_version(plan: Plan) -> int:
    if plan.candidates:
        return PICKING
    return VERSION if (plan.groups, plan.shared_directions) == (1, False) else GROUPED


def _tail(plan: Plan, version: int) -> bytes:
    groups = _GROUPS.pack(plan.groups, plan.shared_directions)
    parts = (b"", groups, groups + _CANDIDATES.pack(plan.candidates))
    return parts[version - VERSION]


def decode_plan(data: bytes) -> Plan:
    """Return the plan that these bytes encode.

    Raises:
        DecodeError: anything but the one encoding of a valid plan; names the field.
    """
    fields, rest = _split("plan", _PLAN, data, PLAN, (VERSION, GROUPED, PICKING))
    (run, round_, key, digest, directions, steps, kind, density, estimator, pairs, radius, step,
     bits, batch, weighting, cap, step_size, local_factor, n_scales) = fields  # fmt: skip
    _need("plan", directions >= 1 and steps >= 1, "K and H must be at least 1", (directions, steps))
    _need("plan", steps <= MAX_STEP + 1, f"H must not pass {MAX_STEP + 1}", steps)
    _need(
        "plan",
        directions * steps <= MAX_COUNT,
        f"H·K must not pass {MAX_COUNT}",
        directions * steps,
    )
    _need("plan", kind in {k.code for k in KINDS.values()}, "unknown kind of direction", kind)
    _need("plan", estimator in ESTIMATOR_BY_CODE, "unknown estimator", estimator)
    _need("plan", pairs <= directions, "pairs must not pass K", pairs)
    one_sided = estimator != MeanBaseline.code or directions - pairs >= 2
    _need(
        "plan", one_sided, "mean_baseline needs 2 directions beside its pairs", directions - pairs
    )
    _need(
        "plan", abs(step) <= MAX_STEP_EXPONENT, f"step exponent within ±{MAX_STEP_EXPONENT}", step
    )
    _need("plan", MIN_BITS <= bits <= MAX_BITS, f"bits in {MIN_BITS} to {MAX_BITS}", bits)
    _need("plan", weighting < len(WEIGHTINGS), "unknown weighting", weighting)
    _need("plan", cap >= 1, "the weight cap must be at least 1", cap)
    for name, value in (("step size", step_size), ("local factor", local_factor)):
        good = math.isfinite(value) and math.copysign(1, value) > 0
        _need("plan", good, f"{name} must be a finite number, not negative", value)
    version = data[1]
    tail = (0, _GROUPS.size, _GROUPS.size + _CANDIDATES.size)[version - VERSION]
    _rest_is("plan", rest, n_scales + tail)
    scales = struct.unpack(f"<{n_scales}b", rest[:n_scales])
    groups, shared = _read_groups(rest[n_scales:], directions * steps, version)
    candidates = _read_candidates(rest[n_scales + _GROUPS.size :], batch)
    _need(
        "plan",
        not scales or any(scales),
        "scale exponents that are all 0 are written as none",
        scales,
    )
    return Plan(
        run, round_, key, digest, directions, steps, kind, density + 1, estimator, pairs, radius,
        scales, step, bits, batch, WEIGHTINGS[weighting], cap, step_size, local_factor, groups,
        shared, candidates,
    )  # fmt: skip


def _read_groups(data: bytes, count: int, version: int) -> tuple[int, bool]:
    """Return how many groups, and whether they share directions; `count` is H·K."""
    if version == VERSION:
        return 1, False
    _need("plan", data[2] in (0, 1), "directions are shared, 1, or not, 0", data[2])
    groups, shared = _GROUPS.unpack_from(data)
    _need("plan", groups >= 1, "at least 1 group", groups)
    alone = version == GROUPED and groups == 1 and not shared
    _need("plan", not alone, "one group with its own directions has version 1", groups)
    within = shared or groups * count <= MAX_COUNT
    _need("plan", within, f"groups times H·K must not pass {MAX_COUNT}", groups * count)
    return groups, shared


def _read_candidates(data: bytes, batch: int) -> int:
    """Return how many examples a client picks from, 0 where the plan says nothing of it."""
    if not data:
        return 0
    candidates: int = _CANDIDATES.unpack(data)[0]
    _need("plan", candidates >= 1, "a plan without candidates has version 1 or 2", candidates)
    _need("plan", 1 <= batch <= candidates, f"B in 1 to {candidates} candidates", batch)
    return candidates


assert DENSITY_STEPS == 2**16  # the plan's density field is density_steps - 1 in 16 bits


def encode_report(report: Report, bits: int) -> bytes:
    """Return a report's one encoding: 56 bytes and `bits` bits an integer."""
    energies = (int(e).to_bytes(6, "little") for e in (report.energy, report.odd, report.even))
    header = _REPORT.pack(
        REPORT, VERSION, report.run, report.round, report.client, len(report.values), report.weight,
        report.loss, report.clips, report.nonfinite, *energies,
    )  # fmt: skip
    return header + pack(report.values, bits)


def report_size(count: int, bits: int) -> int:
    """Return the bytes of a report with `count` integers."""
    return REPORT_HEADER + packed_size(count, bits)


def decode_report(data: bytes, plan: Plan) -> Report:
    """Return the report that these bytes encode in answer to a plan.

    Raises:
        DecodeError: another length than the plan's, an integer outside the quantiser's range, a
            weight above the cap, or anything but the one encoding of a report.
    """
    _need(
        "report",
        len(data) == (size := report_size(plan.count, plan.bits)),
        f"expected {size} bytes",
        len(data),
    )
    fields, rest = _split("report", _REPORT, data, REPORT)
    run, round_, client, count, weight, loss, clips, nonfinite, *energies = fields
    _need("report", count == plan.count, f"expected {plan.count} integers", count)
    cap = 1 if plan.weighting == "uniform" else plan.weight_cap
    _need("report", 1 <= weight <= cap, f"weight in 1 to {cap}", weight)
    _need(
        "report",
        clips <= count and nonfinite <= count,
        f"clips and left out within {count}",
        (clips, nonfinite),
    )
    values = unpack(rest, count, plan.bits)
    energy, odd, even = (int.from_bytes(e, "little") for e in energies)
    return Report(run, round_, client, values, weight, loss, clips, nonfinite, energy, odd, even)


def encode_outcome(outcome: Outcome) -> bytes:
    """Return an outcome's one encoding: 95 bytes and as few bits an integer as hold the largest."""
    width = width_for(outcome.values)
    return _OUTCOME.pack(
        OUTCOME, VERSION, outcome.run, outcome.round, outcome.reports, outcome.weight,
        outcome.weight_squares, outcome.loss, outcome.clips, outcome.nonfinite, outcome.energy,
        outcome.odd, outcome.even, width, len(outcome.values),
    ) + pack(outcome.values, width)  # fmt: skip


def decode_outcome(data: bytes, count: int) -> Outcome:
    """Return the outcome that these bytes encode.

    Args:
        data: bytes.
        count: sums that the plan leads to (`Plan.sums`); an abandoned round has none.

    Raises:
        DecodeError: anything but the one encoding of an outcome of that plan.
    """
    fields, rest = _split("outcome", _OUTCOME, data, OUTCOME)
    run, round_, reports, weight, squares, *sums, width, found = fields
    _need("outcome", found in (0, count), f"expected {count} integers or none", found)
    _need("outcome", 2 <= width <= 64, "width in 2 to 64 bits", width)
    _rest_is("outcome", rest, packed_size(found, width))
    values: NDArray[np.int64] = unpack(rest, found, width)
    _need(
        "outcome", width_for(values) == width, "integers must be packed in the least width", width
    )
    loss, clips, nonfinite, energy, odd, even = sums
    outcome = Outcome(
        run, round_, reports, weight, squares, loss, clips, nonfinite, energy, odd, even, values
    )
    _need("outcome", bool(found) <= (outcome.reports > 0), "a sum needs reports", outcome.reports)
    _need("outcome", bool(found) <= (outcome.weight > 0), "a sum needs weight", outcome.weight)
    return outcome
