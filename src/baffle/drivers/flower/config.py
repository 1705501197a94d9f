"""Flower's run configuration to our settings: flat keys with dots, hyphens for underscores.

Flower hands a run's configuration on as {"probe.num-directions": 64, …}, with plain values only. An
options table is written by its keys: "model.options.hidden" = 32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baffle.config import FleetSettings, Settings, fleet_settings, resolve
from baffle.errors import ConfigError

FLEET = "fleet"
CLIENTS = frozenset(("secrets", "state_dir", "process"))


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return flat keys as tables.

    Raises:
        ConfigError: a key is a value and a table at once.

    Example:
        >>> nested({"rounds": 5, "probe.num-directions": 64})
        {'rounds': 5, 'probe': {'num_directions': 64}}
    """
    tables: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.replace("-", "_").split(".")
        table = tables
        for part in path:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ConfigError(f"run config: {part} in {key} is a value, not a table")
        if last in table:
            raise ConfigError(f"run config: {key} is there twice, or a value and a table at once")
        table[last] = value
    return tables


def settings_of(
    flat: Mapping[str, Any],
    base: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> tuple[Settings, FleetSettings]:
    """Return a run's settings and its fleet's.

    Args:
        flat: Flower's run configuration.
        base: settings by section, as an app gives them in Python, "fleet" among them; the run
            configuration wins over them.
        fixed: settings that win over all, since the app's own functions decide them.

    Raises:
        ConfigError: an unknown key, or a value out of its range.
    """
    given, below = nested(flat), dict(base or {})
    own, told = below.pop(FLEET, {}), given.pop(FLEET, {})
    if deaf := sorted(CLIENTS & set(own)):
        raise ConfigError(
            f"fleet.{', fleet.'.join(deaf)}: clients read these, and they see Flower's run "
            "configuration alone; set them in the app's pyproject.toml or by --run-config"
        )
    fleet = {**own, **told}
    return resolve(below, given, fixed or {}), fleet_settings(fleet)
