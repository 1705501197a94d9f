"""Every setting of a run, with its range. The field's comment is what `config.toml` says of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from baffle.aggregation import RULES
from baffle.algorithms import ALGORITHMS, SCHEDULES
from baffle.baselines import BASELINES
from baffle.cohort import COHORTS
from baffle.directions import KINDS
from baffle.estimators import ESTIMATORS
from baffle.privacy import UNITS
from baffle.protocol.messages import WEIGHTINGS
from baffle.quantisation import MAX_BITS, MIN_BITS
from baffle.updates import OPTIMISERS

Auto = Literal["auto"]
# Rows of `drivers.local.hostile.ATTACKS`, which a test holds equal: configuration stands below.
ATTACKS = ("sign_flip", "scaling", "random", "label_flip", "alie", "inner_product")
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Candidates = Annotated[int, Field(ge=0, lt=2**16)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


def _one_of(values: Iterable[str]) -> AfterValidator:
    """Return a check that a name is a row of a registry; the message lists the rows."""
    known = tuple(values)

    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return name

    return AfterValidator(check)


DirectionName = Annotated[str, _one_of(KINDS)]
EstimatorName = Annotated[str, _one_of(("auto", *ESTIMATORS))]
OptimiserName = Annotated[str, _one_of(OPTIMISERS)]
ScheduleName = Annotated[str, _one_of(SCHEDULES)]
AlgorithmName = Annotated[str, _one_of((*ALGORITHMS, *BASELINES))]
WeightingName = Annotated[str, _one_of(WEIGHTINGS)]
CohortsName = Annotated[str, _one_of(COHORTS)]
RuleName = Annotated[str, _one_of(RULES)]
UnitName = Annotated[str, _one_of(("none", *UNITS))]
AttackName = Annotated[str, _one_of(ATTACKS)]


class Section(BaseModel):
    """A table of the configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class DataSettings(Section):
    """Which data, and how clients share them."""

    name: str = Field(
        "digits", description="a data set that `baffle.data` knows, or 'own' from Python"
    )
    root: str = Field(
        "", description="where its files lie; empty: BAFFLE_DATA, then ~/.cache/baffle"
    )
    options: dict[str, Any] = Field(default_factory=dict, description="for the loader")
    partition: str = Field(
        "dirichlet", description="iid, dirichlet, pathological, natural or sampled"
    )
    partition_options: dict[str, Any] = Field(
        default_factory=lambda: {"alpha": 1.0, "min_rows": 8}, description="for the partition"
    )


class ModelSettings(Section):
    """Which model; its initial weights are a function of the run key."""

    name: str = Field("mlp", description="a model that `baffle.models` knows, or 'own' from Python")
    options: dict[str, Any] = Field(default_factory=dict, description="for the model")


class FederationSettings(Section):
    """Who takes part."""

    clients: int = Field(10, ge=1, lt=2**32, description="registered clients")
    participation: float = Field(0.5, gt=0, le=1, description="share of them asked each round")
    cohort: int = Field(0, ge=0, description="clients asked each round; 0: by participation")
    cohorts: CohortsName = Field(
        "drawn", description="drawn anew each round, or by turns, which spares a privacy budget"
    )
    min_reports: int = Field(1, ge=1, description="a round with fewer reports is abandoned")
    dropout: Share = Field(0.0, description="simulated share of asked clients that never answer")
    slow: Share = Field(
        0.0, description="simulated share whose answer comes after the round closed"
    )
    weighting: WeightingName = Field("uniform", description="weight of a client's report")
    weight_cap: int = Field(1_000_000, ge=1, lt=2**32, description="largest weight of one client")


class ProbeSettings(Section):
    """Where losses are evaluated."""

    directions: DirectionName = Field("rank_one", description="kind of direction")
    density: float = Field(
        1.0, gt=0, le=1, description="share of entries that masked directions move"
    )
    num_directions: int = Field(512, ge=1, lt=2**24, description="K, directions a local step")
    num_local_steps: int = Field(1, ge=1, le=4096, description="H, local steps a round")
    estimator: EstimatorName = Field("auto", description="losses to derivatives")
    pairs: int = Field(
        8, ge=0, description="antithetic directions among them, for auto's measurements"
    )
    radius: Auto | Positive = Field(
        "auto", description="σ, in parameter units, taken to a power of two"
    )
    radii: Literal["equal", "by_tensor"] = Field(
        "equal", description="σ the same for all tensors, or scaled by tensor as measured"
    )
    split: Literal["fixed", "measured"] = Field(
        "fixed",
        description="K and B as set; or K·B as set, and B at most, by what noise is measured",
    )
    batch: int = Field(
        32, ge=0, description="examples a client probes on a local step; 0: all it has"
    )
    candidates: Auto | Candidates = Field(
        0,
        description="examples whose losses a client looks at once, to probe on those that teach "
        "most; 0: none; auto: four times the batch. Who sets a batch alone gets none",
    )


class QuantisationSettings(Section):
    """Derivatives to integers."""

    bits: int = Field(16, ge=MIN_BITS, le=MAX_BITS, description="bits of an integer; 1: the sign")
    step: Auto | Positive = Field("auto", description="step of the grid, taken to a power of two")


class UpdateSettings(Section):
    """Estimates to weights."""

    optimiser: OptimiserName = Field("adam", description="sgd, momentum, adam, adam_by_tensor")
    beta1: Share = Field(0.9, description="decay of momentum")
    beta2: Share = Field(0.99, description="decay of Adam's second moment")
    epsilon: Positive = Field(1e-8, description="added to the second moment's root")
    l2: NotNegative = Field(0.0, description="L2 regularisation, before the optimiser")
    decoupled_decay: NotNegative = Field(0.0, description="weight decay beside the optimiser")
    average: Share = Field(0.0, description="decay of the weights' moving average; 0: none")
    normalised: bool = Field(True, description="divide by the scalars' standard deviation")
    rounding: Literal["nearest", "stochastic"] = Field(
        "nearest",
        description="int8 weights: kept between the steps and used rounded, or kept on them",
    )
    step_size: Auto | Positive = Field("auto", description="at the schedule's top")
    local_step_size: Auto | NotNegative = Field(
        0.01, description="of clients' own steps, when H > 1; auto: the same as step_size"
    )
    schedule: ScheduleName = Field("cosine", description="constant, linear or cosine")


class GroupSettings(Section):
    """Groups of clients within a round: more directions, or a rule over their sums."""

    number: int = Field(
        1, ge=0, lt=2**16, description="groups a round; 0: as many as the least size allows"
    )
    least: int = Field(
        1, ge=1, description="clients in the smallest group; a small round has fewer groups"
    )
    directions: Literal["own", "shared"] = Field(
        "own", description="own: each group probes along others; shared: all along the same"
    )


class RobustSettings(Section):
    """What makes one vector of many reports, some of them hostile."""

    rule: RuleName = Field("sum", description="over reports; with secure sums, over groups' sums")
    share: float = Field(
        0.2, gt=0, lt=0.5, description="assumed hostile (trimmed_mean, krum, multi_krum)"
    )
    multiple: Positive = Field(1.0, description="of the median length (norm_bound)")


class SecureSettings(Section):
    """Secure sums: the server sees no report, only the sum of a group's."""

    sums: bool = Field(False, description="whether clients mask what they send")
    min_group: int = Field(
        3, ge=2, description="a client takes part in no sum of fewer clients than these"
    )
    collusion: float = Field(
        0.05, ge=0, le=0.3, description="share of a group's clients that may work with the server"
    )
    dropout: float = Field(
        0.1, ge=0, le=0.3, description="share of a group's clients that may vanish within a round"
    )
    failure_bits: int = Field(
        40, ge=10, le=80, description="a sum's security fails with probability below 2^-this"
    )
    simulate: Literal["protocol", "sum"] = Field(
        "protocol",
        description="in a simulation: every message, or only the sum that comes of them",
    )


class PrivacySettings(Section):
    """Differential privacy of the sums; needs secure sums."""

    unit: UnitName = Field("none", description="what is protected: none, client or example")
    epsilon: Positive = Field(8.0, description="budget; the run stops before it is passed")
    delta: float = Field(1e-5, gt=0, lt=1, description="of the same promise")
    noise_multiplier: Auto | Positive = Field(
        "auto", description="noise over sensitivity; auto: the least that the budget allows"
    )
    loss_bound: Positive = Field(4.0, description="losses are cut to 0 … this before counting")
    sampling: float = Field(
        0.1,
        gt=0,
        le=1,
        description="most with which a client secretly takes each example a round "
        "(unit example only)",
    )


class HostileSettings(Section):
    """Simulated clients that lie."""

    share: Share = Field(0.0, description="of the clients")
    attack: AttackName = Field("sign_flip", description="what they send")
    strength: float = Field(
        0.0, allow_inf_nan=False, description="of scaling, alie, inner_product; 0: as published"
    )


class EngineSettings(Section):
    """How probes are computed here: fixed, since it changes losses in their last bits."""

    chunk: int = Field(
        0,
        ge=0,
        description="directions in one pass (examples, if point_by_point); 0: measured, then "
        "written here",
    )
    threads: int = Field(0, ge=0, description="threads of a pass; 0: measured, then written here")
    clients: int = Field(
        0,
        ge=0,
        description="clients in one pass; 1: one after another; 0: chosen if chunk or threads is",
    )
    route: Literal["", "rank_one", "point_by_point", "vmapped", "one_by_one"] = Field(
        "", description="how points are evaluated; empty: measured, or by shapes"
    )
    precision: Literal["own", "bfloat16"] = Field(
        "own", description="what losses are evaluated in; the model's own, or bfloat16"
    )
    compiled: bool = Field(
        False, description="let torch.compile make passes of one point; needs a C++ compiler"
    )
    low_memory: bool = Field(
        False, description="one point a pass, and freed memory goes back to the system at once"
    )


class OutputSettings(Section):
    """What is kept."""

    dir: str = Field("runs", description="folder in which run folders are made")
    evaluate_every: int = Field(
        10, ge=0, description="rounds between evaluations; 0: only at the end"
    )
    snapshot_every: int = Field(100, ge=1, description="rounds between snapshots")


class Settings(Section):
    """A whole run."""

    algorithm: AlgorithmName = Field("baffle", description="whose choices fill what is not set")
    key: int = Field(
        0, ge=0, lt=2**63, description="run key: every shared random number comes from it"
    )
    rounds: int = Field(600, ge=1, lt=2**32, description="rounds")
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    federation: FederationSettings = FederationSettings()
    probe: ProbeSettings = ProbeSettings()
    quantisation: QuantisationSettings = QuantisationSettings()
    update: UpdateSettings = UpdateSettings()
    groups: GroupSettings = GroupSettings()
    robust: RobustSettings = RobustSettings()
    secure: SecureSettings = SecureSettings()
    privacy: PrivacySettings = PrivacySettings()
    hostile: HostileSettings = HostileSettings()
    engine: EngineSettings = EngineSettings()
    output: OutputSettings = OutputSettings()
