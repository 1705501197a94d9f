"""How a fleet is run: waiting, places, watching. Nothing here changes what a run computes.

So it is no part of a run's genesis, and may be another after a restart. A round's participants do
depend on it: who is too late for a deadline is not in the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from baffle.config.resolve import sentence
from baffle.config.settings import NotNegative, Positive, Section
from baffle.errors import ConfigError


class FleetSettings(Section):
    """A fleet's own settings."""

    run_dir: str = Field(
        "",
        description="the run folder at the server; empty: <output.dir>/fleet-<algorithm>-key<key>",
    )
    server_key: str = Field(
        "", description="file of the server's signing key; empty: server.key in the run folder"
    )
    state_dir: str = Field(
        "",
        description="a client's folder, unless its node names one; empty: ~/.local/state/baffle",
    )
    secrets: Literal["auto", "device", "simulated"] = Field(
        "auto",
        description="where clients' secrets come from: the device, or the run key; auto: the run "
        "key in a simulation only",
    )
    process: Literal["auto", "lasting", "own"] = Field(
        "auto",
        description="where a client computes: in a process that outlives a message, or in the "
        "engine's own; auto: lasting, but for simulations",
    )
    deadline: Positive = Field(120.0, description="seconds from a round's asks to its end")
    exchange_deadline: Positive = Field(
        60.0, description="seconds for each of a secure sum's exchanges without a plan"
    )
    over_selection: NotNegative = Field(
        0.0, description="share by which more clients are asked than reports are wanted"
    )
    min_clients: int = Field(1, ge=1, description="clients that must be there to open a round")
    gather: NotNegative = Field(
        120.0, description="seconds to wait for all registered clients before the first round"
    )
    remind: NotNegative = Field(
        45.0, description="seconds after which a silent client is asked once more; 0: never"
    )
    evaluate_every: int = Field(
        0,
        ge=0,
        description="rounds between evaluations on the clients' held-out examples; 0: never",
    )
    bytes_per_second: Positive = Field(
        1e6, description="of a client's way down: what it missed goes as rounds or as a snapshot"
    )
    poll: Positive = Field(0.1, description="seconds between two looks for answers")
    patience: Positive = Field(
        600.0, description="seconds to wait for an engine or a disk that is away"
    )
    farewell: NotNegative = Field(
        30.0, description="seconds at the end in which clients take the final state"
    )
    tensorboard: bool = Field(False, description="write TensorBoard events into the run folder")
    mlflow: str = Field("", description="MLflow tracking URI")
    prometheus: int = Field(0, ge=0, lt=2**16, description="port of a Prometheus endpoint; 0: none")
    prometheus_host: str = Field("127.0.0.1", description="address of that endpoint")
    log_json: str = Field("", description="file for structured logs")


def fleet_settings(given: Mapping[str, Any]) -> FleetSettings:
    """Return a fleet's settings.

    Raises:
        ConfigError: an unknown key, or a value out of its range; names key, value and range.

    Example:
        >>> fleet_settings({"deadline": 5}).deadline
        5.0
    """
    try:
        return FleetSettings.model_validate(dict(given))
    except ValidationError as problem:
        raise ConfigError(sentence(problem, FleetSettings, "fleet")) from None
