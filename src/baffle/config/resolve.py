"""From a file, an algorithm's choices and the user's own words to one complete configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from baffle.algorithms import ALGORITHMS
from baffle.baselines import BASELINES
from baffle.config.settings import Settings
from baffle.errors import ConfigError


def resolve(*layers: Mapping[str, Any]) -> Settings:
    """Return the settings: defaults, then the algorithm's choices, then the layers, later ones win.

    Raises:
        ConfigError: an unknown key, or a value out of its range; names key, value and range.

    Example:
        >>> resolve({"rounds": 5}, {"probe": {"bits": 8}})
        Traceback (most recent call last):
            ...
        baffle.errors.ConfigError: probe.bits is no setting; [probe] knows directions, density, ...
    """
    given: dict[str, Any] = {}
    for layer in layers:
        given = _merged(given, layer)
    chosen = _left(_choices(str(given.get("algorithm", "baffle"))), given)
    try:
        return Settings.model_validate(_merged(chosen, given))
    except ValidationError as problem:
        raise ConfigError(sentence(problem, Settings)) from None


def _choices(name: str) -> Mapping[str, Any]:
    """Return what an algorithm or a baseline chooses, by section."""
    if name in BASELINES:
        return BASELINES[name].choices
    if name in ALGORITHMS:
        return ALGORITHMS[name]
    known = ", ".join((*ALGORITHMS, *BASELINES))
    raise ConfigError(f"algorithm must be one of {known}, got {name!r}")


def _left(chosen: Mapping[str, Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is left of an algorithm's choices: candidates go with its own batch alone.

    So a configuration, or a genesis, that is complete for an earlier version means what it meant.
    """
    probe = given.get("probe")
    if not isinstance(probe, Mapping) or "batch" not in probe or "probe" not in chosen:
        return chosen
    own = {name: value for name, value in chosen["probe"].items() if name != "candidates"}
    return {**chosen, "probe": own}


def load_config(path: Path) -> dict[str, Any]:
    """Return a TOML file's tables.

    Raises:
        ConfigError: no such file, not readable, or not TOML; names the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"expected a configuration file at {path}, found none") from None
    except OSError as problem:
        raise ConfigError(
            f"expected a configuration file at {path}, which cannot be read: {problem.strerror}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} is not TOML: {problem}") from None


def to_toml(settings: Settings) -> str:
    """Return a complete configuration file, each line with what it means."""
    lines = ["# Complete: `baffle run` on this file repeats the run bit for bit.", ""]
    for name, field in type(settings).model_fields.items():
        if not isinstance(getattr(settings, name), BaseModel):
            lines.append(_line(name, getattr(settings, name), field.description))
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, BaseModel):
            lines += ["", f"[{name}]"]
            lines += [
                _line(key, getattr(section, key), field.description)
                for key, field in type(section).model_fields.items()
            ]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any, description: str | None) -> str:
    written = f"{key} = {_inline(value)}"
    return f"{written}  # {description}" if description else written


def _inline(value: Any) -> str:
    """Return a value on one line; tomli_w alone would begin a new table for a nested one."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in sorted(value.items()))
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_inline, value))}]"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").strip()


def _key(key: str) -> str:
    return tomli_w.dumps({key: 0}).removesuffix(" = 0\n")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another, table by table; options tables are replaced as a whole."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        mixed = both and not key.endswith("options")
        result[key] = _merged(result[key], value) if mixed else value
    return result


def sentence(problem: ValidationError, model: type[BaseModel], section: str = "") -> str:
    """Return one sentence a mistake, in the words of the configuration file.

    Args:
        problem: what pydantic found.
        model: whose fields are meant.
        section: name of the table that the model is of; empty for the whole file.
    """
    return "; ".join(_mistake(e, model, section) for e in _distinct(problem))


def _distinct(problem: ValidationError) -> list[Any]:
    """Keep the last of the alternatives that a union reports for one key."""
    found: dict[str, Any] = {}
    for error in problem.errors():
        key = ".".join(str(part) for part in error["loc"][:2])
        found[key] = error
    return list(found.values())


# How pydantic names the two sides of a setting that is a number or "auto".
_UNION_PARTS = {"float", "constrained-float", "literal['auto']"}


def _mistake(error: Any, whole: type[BaseModel], section: str) -> str:
    parts = [str(part) for part in error["loc"] if str(part) not in _UNION_PARTS]
    key = ".".join([section] * bool(section) + parts)
    if error["type"] == "extra_forbidden":
        inner = error["loc"][0] if len(error["loc"]) > 1 else None
        model = whole.model_fields[inner].annotation if inner else whole
        where = f"[{section or inner}]" if section or inner else "the top level"
        return f"{key} is no setting; {where} knows {', '.join(model.model_fields)}"  # type: ignore[union-attr]
    wanted = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{key} {wanted[0].lower() + wanted[1:]}, got {error['input']!r}"
