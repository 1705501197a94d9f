"""Which settings go with a baseline, and which commands do not go with its runs."""

from __future__ import annotations

from pathlib import Path

from baffle.baselines import BASELINES, CLIENTS, row_of
from baffle.config import Settings, load_config
from baffle.errors import ConfigError, LedgerError
from baffle.ledger.database import DATABASE

# What stands for integers, sums and reports that a baseline does not have.
_INTEGERS = ("quantisation", "groups", "robust", "privacy", "hostile")
_PROBE = {"radii": "equal", "split": "fixed", "candidates": 0}  # what follows measured noise
_ENGINE = {"route": "", "precision": "own", "compiled": False, "low_memory": False}


def require_plain(settings: Settings) -> None:
    """Raise ConfigError unless a baseline can do what the settings ask for."""
    name, fields = settings.algorithm, type(settings).model_fields
    used = [s for s in _INTEGERS if getattr(settings, s) != fields[s].default]
    for section in used + ["secure"] * settings.secure.sums:
        raise ConfigError(
            f"{name} is a baseline and sends floats: [{section}] is not for it; leave that out, or "
            "choose an algorithm that sends integers"
        )
    for key, plain in _ENGINE.items():
        if getattr(settings.engine, key) != plain:
            raise ConfigError(f"{name} is a baseline: engine.{key} is not for it; leave it out")
    for key, plain in _PROBE.items():
        if getattr(settings.probe, key) != plain:
            raise ConfigError(f"{name} is a baseline: probe.{key} is not for it; leave it out")
    _require_steps(settings)
    _require_probing(settings)


def _require_steps(settings: Settings) -> None:
    name, update = settings.algorithm, settings.update
    local = row_of(name).steps == CLIENTS
    if update.normalised:
        raise ConfigError(f"{name} divides by no deviation: set update.normalised to false")
    if local and (update.optimiser != "sgd" or update.l2 or update.decoupled_decay):
        raise ConfigError(
            f"{name}'s clients take plain steps and the server averages: expected update.optimiser "
            f"sgd, and no l2 or decoupled_decay, got {update.optimiser}, {update.l2:g} and "
            f"{update.decoupled_decay:g}"
        )
    if not local and settings.probe.num_local_steps != 1:
        raise ConfigError(
            f"{name}'s clients take no steps of their own: expected probe.num_local_steps 1, got "
            f"{settings.probe.num_local_steps}"
        )


def _require_probing(settings: Settings) -> None:
    name, probe = settings.algorithm, settings.probe
    row = row_of(name)
    if row.directions and probe.directions not in row.directions:
        raise ConfigError(
            f"{name} takes directions {' or '.join(row.directions)}, got {probe.directions}"
        )
    if row.radius and isinstance(probe.radius, str):
        raise ConfigError(f"{name} measures no radius: set probe.radius to a number")


def require_ledger(folder: Path) -> None:
    """Raise LedgerError if a folder is a baseline's run, which keeps no ledger."""
    path = folder / "config.toml"
    if (folder / DATABASE).exists() or not path.is_file():
        return  # with a ledger, its genesis knows the settings, also where the file is broken
    name = load_config(path).get("algorithm")
    if name in BASELINES:
        raise LedgerError(
            f"{folder} is a run of {name}, a baseline, which keeps no ledger: it cannot be "
            "verified, replayed or gone on with; its weights are in model.safetensors, and "
            "`baffle show` tells what it came to"
        )
