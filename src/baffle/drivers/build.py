"""From settings to the values that the state machines take: the same for every driver."""

from __future__ import annotations

import math
from typing import Any

from baffle.aggregation import require_exact
from baffle.algorithms import AutoPolicy
from baffle.algorithms.policy import START_RADIUS_EXPONENT, START_STEP_EXPONENT
from baffle.cohort import cohort_size
from baffle.config import Settings
from baffle.directions import DENSITY_STEPS, ModelSignature, make_kind
from baffle.errors import ConfigError
from baffle.estimators import ESTIMATORS
from baffle.protocol import Genesis, Plan
from baffle.quantisation import MAX_STEP_EXPONENT
from baffle.updates import UpdateSpec

RADIUS_LIMIT = 100
_BEFORE = {"clients": 1, "route": "", "precision": "own", "compiled": False, "low_memory": False}


def power_of_two(name: str, value: float | str, auto: int, limit: int) -> int:
    """Return log2 of the power of two next to a value, or `auto` for "auto".

    Raises:
        ConfigError: it lies outside 2^±limit.
    """
    if isinstance(value, str):
        return auto
    exponent = round(math.log2(value))
    if abs(exponent) > limit:
        raise ConfigError(f"{name} must lie within 2^±{limit}, got {value}")
    return exponent


def update_spec(settings: Settings) -> UpdateSpec:
    """Return the way from estimate to weights that the settings ask for."""
    u = settings.update
    return UpdateSpec(
        u.optimiser, u.beta1, u.beta2, u.epsilon, u.l2, u.decoupled_decay, u.average, u.normalised
    )


def first_plan(settings: Settings, signature: ModelSignature) -> Plan:
    """Return the plan of round 0, without run and digest.

    Raises:
        ConfigError: settings that do not go together.
        BoundError: the integer sums could leave 64 bits; the arithmetic is spelled out.
    """
    p, q, f = settings.probe, settings.quantisation, settings.federation
    estimator = ESTIMATORS["mean_baseline" if p.estimator == "auto" else p.estimator]
    pairs = p.pairs if estimator.name == "mean_baseline" else 0
    if p.estimator == "auto" and p.pairs < 2:
        raise ConfigError(
            f"estimator auto needs at least 2 antithetic pairs to measure by, got {p.pairs}"
        )
    estimator.layout(p.num_directions, pairs)
    kind = make_kind(p.directions, settings.key, p.density)
    asked = cohort_size(f.clients, f.participation, f.cohort)
    weight = 1 if f.weighting == "uniform" else f.weight_cap
    require_exact(kind, q.bits, asked, weight, p.num_directions, p.num_local_steps)
    return Plan(
        run=bytes(16),
        round=0,
        key=settings.key,
        digest=bytes(32),
        num_directions=p.num_directions,
        num_local_steps=p.num_local_steps,
        kind_code=kind.code,
        density_steps=max(1, round(p.density * DENSITY_STEPS)),
        estimator_code=estimator.code,
        pairs=pairs,
        radius_exponent=power_of_two("probe.radius", p.radius, START_RADIUS_EXPONENT, RADIUS_LIMIT),
        scale_exponents=(),
        step_exponent=power_of_two(
            "quantisation.step", q.step, START_STEP_EXPONENT, MAX_STEP_EXPONENT
        ),
        bits=q.bits,
        batch=p.batch,
        weighting=f.weighting,
        weight_cap=f.weight_cap,
        step_size=0.0,
        local_factor=0.0,
    )


def policy(settings: Settings, signature: ModelSignature) -> AutoPolicy:
    """Return the run's requests.

    Raises:
        ConfigError: as `first_plan`, or the step size is still to be chosen.
    """
    u = settings.update
    if isinstance(u.step_size, str):
        raise ConfigError(
            "update.step_size is auto: choose it by a calibration first, or set a number"
        )
    return AutoPolicy(
        first=first_plan(settings, signature),
        rounds=settings.rounds,
        step_size=u.step_size,
        schedule=u.schedule,
        auto_estimator=settings.probe.estimator == "auto",
        auto_radius=settings.probe.radius == "auto" and settings.probe.estimator == "auto",
        auto_step=settings.quantisation.step == "auto",
        normalised=u.normalised,
        local_step_size=u.local_step_size,
    )


def genesis(settings: Settings, signature: ModelSignature, initial: bytes) -> Genesis:
    """Return what all sides of the run agree on before its first round."""
    return Genesis(
        settings.algorithm,
        settings.key,
        signature,
        update_spec(settings),
        initial,
        _stated(settings),
    )


def _stated(settings: Settings) -> dict[str, Any]:
    """Return the settings as a genesis states them.

    It says nothing of choices of the engine that are what they were before there was a choice. The
    genesis of those runs, from which the run's number and the clients' keys come, stays as it was.
    """
    stated = settings.model_dump(mode="json")
    engine = stated["engine"]
    stated["engine"] = {name: v for name, v in engine.items() if v != _BEFORE.get(name, ...)}
    if settings.engine.clients == 0:
        del stated["engine"]["clients"]
    return stated
