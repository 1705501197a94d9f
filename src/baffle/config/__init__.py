"""Configuration: one model, read once from TOML, command line or keywords; unknown keys refused."""

from __future__ import annotations

from baffle.config.combine import candidates_of, groups_of, least_group, require_together, rule_of
from baffle.config.fleet import FleetSettings, fleet_settings
from baffle.config.resolve import load_config, resolve, to_toml
from baffle.config.settings import EngineSettings, Settings

__all__ = [
    "EngineSettings",
    "FleetSettings",
    "Settings",
    "candidates_of",
    "fleet_settings",
    "groups_of",
    "least_group",
    "load_config",
    "require_together",
    "resolve",
    "rule_of",
    "to_toml",
]
