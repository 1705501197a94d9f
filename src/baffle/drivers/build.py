"""From settings to the values that the state machines take: the same for every driver."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from baffle.aggregation import require_exact
from baffle.aggregation.rules import common_weight
from baffle.algorithms import AutoPolicy
from baffle.algorithms.policy import (
    FLOAT32,
    RESOLUTIONS,
    START_RADIUS_EXPONENT,
    START_STEP_EXPONENT,
    Resolution,
)
from baffle.algorithms.radii import TensorRadii
from baffle.algorithms.split import Split
from baffle.cohort import cohort_size, most_participations
from baffle.config import Settings, candidates_of, groups_of, require_together, rule_of
from baffle.directions import DENSITY_STEPS, ModelSignature, make_kind
from baffle.errors import ConfigError, DecodeError
from baffle.estimators import ESTIMATORS
from baffle.ledger.replay import Replayed
from baffle.privacy import PrivacySpec, Sensitivity, noise_multiplier_for, require_levels
from baffle.protocol import Genesis, Plan, Rules, Server, decode_plan, encode_plan
from baffle.protocol.contribution import Form
from baffle.protocol.policy import Policy
from baffle.quantisation import MAX_STEP_EXPONENT, Quantiser
from baffle.secagg.spec import SecureSpec, parameters
from baffle.updates import UpdateSpec
from baffle.updates.grid import STEP_EXPONENT, on_grid

RADIUS_LIMIT = 100
RADII_MEMORY = 0.98  # decay of what radii by tensor are chosen by
# Sections that came later, of which a genesis says nothing where they are what was before.
_LATER = ("groups", "robust", "secure", "privacy", "hostile")
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
        u.optimiser, u.beta1, u.beta2, u.epsilon, u.l2, u.decoupled_decay, u.average, u.normalised,
        RADII_MEMORY if settings.probe.radii == "by_tensor" else 0.0,
        u.rounding == "stochastic",
    )  # fmt: skip


def first_plan(settings: Settings, signature: ModelSignature) -> Plan:
    """Return the plan of round 0, without run and digest.

    Raises:
        ConfigError: settings that do not go together.
        BoundError: the integer sums could leave 64 bits; the arithmetic is spelled out.
    """
    require_together(settings)
    p, q, f = settings.probe, settings.quantisation, settings.federation
    private = settings.privacy.unit != "none"
    estimator = ESTIMATORS["mean_baseline" if p.estimator == "auto" else p.estimator]
    # With privacy no pair's energies are sent, so none is measured.
    pairs = p.pairs if estimator.name == "mean_baseline" and not private else 0
    if p.estimator == "auto" and p.pairs < 2 and not private:
        raise ConfigError(
            f"estimator auto needs at least 2 antithetic pairs to measure by, got {p.pairs}"
        )
    if p.radii == "by_tensor" and p.directions == "masked":
        raise ConfigError(
            "probe.radii by_tensor needs directions that move every entry, got masked ones"
        )
    estimator.layout(p.num_directions, pairs)
    kind = make_kind(p.directions, settings.key, p.density)
    asked = cohort_size(f.clients, f.participation, f.cohort)
    weight = 1 if f.weighting == "uniform" else f.weight_cap
    if private:
        require_levels(Quantiser(q.bits, 0).limit, p.num_directions * p.num_local_steps)
    counted = _counted(settings, asked)
    if p.split == "measured":
        _require_split(settings)
    require_exact(kind, q.bits, counted, weight, most_directions(settings), p.num_local_steps)
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
        radius_exponent=_radius_exponent(settings, signature),
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
        shared_directions=settings.groups.directions == "shared",
        candidates=candidates_of(settings),
    )


def _radius_exponent(settings: Settings, signature: ModelSignature) -> int:
    """Return log2 of the first radius; int8 weights move by one step, no less and no more."""
    p = settings.probe
    if not _has_int8(signature):
        return power_of_two("probe.radius", p.radius, START_RADIUS_EXPONENT, RADIUS_LIMIT)
    found = power_of_two("probe.radius", p.radius, STEP_EXPONENT, RADIUS_LIMIT)
    fits = found == STEP_EXPONENT and p.radii == "equal" and p.num_local_steps == 1
    if not fits or p.directions == "gaussian":
        raise ConfigError(
            f"int8 weights move by one step: expected probe.radius auto or 2^{STEP_EXPONENT}, "
            "probe.radii equal, probe.num_local_steps 1 and directions of ±1; got "
            f"2^{found}, {p.radii}, {p.num_local_steps}, {p.directions}"
        )
    return found


def _has_int8(signature: ModelSignature) -> bool:
    return any(on_grid(tensor.name) for _, tensor in signature.trained)


def most_directions(settings: Settings) -> int:
    """Return the largest K that a plan of the run may ask for."""
    probe = settings.probe
    return probe.num_directions * (probe.batch if probe.split == "measured" else 1)


def _require_split(settings: Settings) -> None:
    """Raise ConfigError where there is nothing to split, or nothing to choose by."""
    if settings.privacy.unit != "none" or not settings.probe.batch:
        raise ConfigError(
            "probe.split measured needs a batch to split, and energies, which privacy keeps back: "
            "set probe.batch, or split to fixed"
        )


def _split(first: Plan, signature: ModelSignature) -> Split:
    """Return what chooses K and B of a plan's K·B."""
    return Split(first.num_directions * first.batch, first.batch, signature.dimension)


def _counted(settings: Settings, asked: int) -> int:
    """Return how many clients' integers a sum may hold, as the bound counts them."""
    rule, private = rule_of(settings), settings.privacy.unit != "none"
    if rule.name != "sum" and settings.secure.sums:
        groups = groups_of(settings, asked)
        sizes = [-(-asked // groups), asked // groups]
        asked = rule.weight(groups) * common_weight(sizes)
    if private:  # examples that one client may take, and noise of 13 σ
        batch = settings.probe.batch if settings.privacy.unit == "example" else 1
        asked *= 16 * (batch + 64)
    return asked


def secure_spec(settings: Settings) -> SecureSpec | None:
    """Return what a client insists on of secure sums, None for reports in the clear."""
    s = settings.secure
    if not s.sums:
        return None
    return SecureSpec(s.min_group, s.collusion, s.dropout, s.failure_bits)


def privacy_spec(settings: Settings) -> PrivacySpec | None:
    """Return what the run promises of its sums.

    Raises:
        ConfigError: the noise is still to be chosen; see `with_noise`.
    """
    p = settings.privacy
    if p.unit == "none":
        return None
    if isinstance(p.noise_multiplier, str):
        raise ConfigError("privacy.noise_multiplier is auto: choose it first, see with_noise")
    return PrivacySpec(p.unit, p.noise_multiplier, p.delta, p.loss_bound, sampling_of(settings))


def sampling_of(settings: Settings) -> float | None:
    """Return the rate at which examples are drawn in secret, None where they are not."""
    p = settings.privacy
    return p.sampling if p.unit == "example" else None


def with_noise(settings: Settings) -> Settings:
    """Return the settings with the least noise that lets all rounds stay within the budget.

    A client is in as many rounds as the cohorts of this key say; where a fleet's clients come and
    go, the budget may be spent before the last round, and then the run stops.
    """
    p, f = settings.privacy, settings.federation
    if p.unit == "none" or p.noise_multiplier != "auto":
        return settings
    asked = cohort_size(f.clients, f.participation, f.cohort)
    rounds = most_participations(settings.key, settings.rounds, f.clients, asked, f.cohorts)
    found = noise_multiplier_for(p.epsilon, p.delta, rounds, sampling_of(settings))
    privacy = p.model_copy(update={"noise_multiplier": found})
    return settings.model_copy(update={"privacy": privacy})


def policy(settings: Settings, signature: ModelSignature) -> AutoPolicy:
    """Return the run's requests.

    Raises:
        ConfigError: as `first_plan`, or the step size is still to be chosen.
    """
    u, first = settings.update, first_plan(settings, signature)
    if isinstance(u.step_size, str):
        raise ConfigError(
            "update.step_size is auto: choose it by a calibration first, or set a number"
        )
    spec = privacy_spec(settings)
    _require_rounds(settings, first, spec)
    measured = settings.probe.estimator == "auto" and spec is None
    by_tensor = settings.probe.radii == "by_tensor"
    local = u.step_size if isinstance(u.local_step_size, str) else u.local_step_size
    return AutoPolicy(
        first=first,
        rounds=settings.rounds,
        step_size=u.step_size,
        schedule=u.schedule,
        auto_estimator=measured,
        auto_radius=settings.probe.radius == "auto" and measured and not _has_int8(signature),
        auto_step=settings.quantisation.step == "auto",
        normalised=u.normalised,
        local_step_size=local,
        noise=_count_noise(settings, spec, first) if spec else 0.0,
        radii=TensorRadii(signature, RADII_MEMORY) if by_tensor else None,
        split=_split(first, signature) if settings.probe.split == "measured" else None,
        resolution=resolution_of(settings, signature),
    )


def resolution_of(settings: Settings, signature: ModelSignature) -> Resolution:
    """Return the resolution of losses: by the engine's precision, else by the model's own."""
    own = {tensor.dtype for _, tensor in signature.trained}
    used = own if settings.engine.precision == "own" else {settings.engine.precision}
    found = [RESOLUTIONS.get(dtype, FLOAT32) for dtype in used]
    return max(found, key=lambda resolution: resolution.share)


def _require_rounds(settings: Settings, first: Plan, privacy: PrivacySpec | None) -> None:
    """Raise ConfigError or BoundError where a round of all that are asked could not be held."""
    f, secure = settings.federation, secure_spec(settings)
    asked = cohort_size(f.clients, f.participation, f.cohort)
    groups = groups_of(settings, asked)
    plan = replace(first, groups=groups)
    if settings.probe.split == "measured":  # the largest K that it may come to
        plan = replace(plan, num_directions=most_directions(settings), batch=1)
    try:
        decode_plan(encode_plan(plan))
    except DecodeError as no:
        raise ConfigError(f"these settings make no plan: {no}") from None
    if secure is not None:
        for members in {asked // groups, -(-asked // groups)}:
            Form(plan, privacy, parameters(members, secure)).lanes.size(members)


def _count_noise(settings: Settings, spec: PrivacySpec, first: Plan) -> float:
    """Return the standard deviation of a round's count of clipped vectors, at the least noise."""
    f, limit = settings.federation, first.quantiser.limit
    groups = groups_of(settings, cohort_size(f.clients, f.participation, f.cohort))
    return math.sqrt(groups) * spec.total_sigma(limit) / Sensitivity(limit).clips


def server_of(
    settings: Settings, spec: Genesis, rules: Rules, requests: Policy, at: Replayed
) -> Server:
    """Return the state machine of a run's server, where the run stands."""
    f = settings.federation
    return Server(
        spec.run,
        rules,
        requests,
        at.state,
        f.clients,
        f.min_reports,
        at.last,
        rule_of(settings),
        sums_only=spec.secure is not None,
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
        secure_spec(settings),
        privacy_spec(settings),
    )


def _stated(settings: Settings) -> dict[str, Any]:
    """Return the settings as a genesis states them.

    It says nothing of choices of the engine that are what they were before there was a choice. The
    genesis of those runs, from which the run's number and the clients' keys come, stays as it was.
    """
    stated = settings.model_dump(mode="json")
    for name in _LATER:
        if getattr(settings, name) == type(settings).model_fields[name].default:
            del stated[name]
    if settings.federation.cohorts == "drawn":
        del stated["federation"]["cohorts"]
    if settings.update.rounding == "nearest":
        del stated["update"]["rounding"]
    for name, before in (("radii", "equal"), ("split", "fixed"), ("candidates", 0)):
        if stated["probe"][name] == before:
            del stated["probe"][name]
    engine = stated["engine"]
    stated["engine"] = {name: v for name, v in engine.items() if v != _BEFORE.get(name, ...)}
    if settings.engine.clients == 0:
        del stated["engine"]["clients"]
    return stated
