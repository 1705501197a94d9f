"""What someone asks of a fleet: the settings of its run, beside those of the run in the folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from baffle.config import FleetSettings, Settings
from baffle.errors import ConfigError
from baffle.fleet import Pace

logger = logging.getLogger(__name__)


def one_client_a_pass(settings: Settings) -> Settings:
    """Return the settings of a fleet, whose clients share no pass."""
    if settings.engine.clients > 1:
        logger.warning("engine.clients is 1 in a fleet, whose clients are alone with their data")
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"clients": 1})})


def require_same(asked: Settings, stored: Settings, folder: Path) -> None:
    """Raise ConfigError if a setting that is asked for is not the stored run's.

    What is left open ("auto", an engine's 0, the folder in which runs are made) is as stored.
    """
    was, wanted = _flat(stored), _flat(asked)
    open_ = {"output.dir", "engine.clients"}
    other = [
        f"{key} = {was.get(key)!r} (asked: {value!r})"
        for key, value in wanted.items()
        if key not in open_
        and value != "auto"
        and not (key.startswith("engine.") and value in (0, ""))
        and value != was.get(key)
    ]
    if other:
        raise ConfigError(
            f"{folder} holds a run with {', '.join(other)}: choose another fleet.run_dir, or the "
            "same settings to go on with it"
        )


def _flat(settings: Settings) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.model_dump(mode="json").items():
        inner = value if isinstance(value, dict) else None
        flat |= {f"{name}.{k}": v for k, v in inner.items()} if inner else {name: value}
    return flat


def pace_of(fleet: FleetSettings) -> Pace:
    """Return how long a fleet waits, and for how many."""
    return Pace(
        deadline=fleet.deadline,
        over_selection=fleet.over_selection,
        min_clients=fleet.min_clients,
        gather=fleet.gather,
        evaluate_every=fleet.evaluate_every,
        bytes_per_second=fleet.bytes_per_second,
        greet_again=fleet.deadline,
        remind=fleet.remind,
        exchange=fleet.exchange_deadline,
    )
