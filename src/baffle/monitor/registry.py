"""The monitors by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from baffle.errors import ConfigError
from baffle.monitor.base import Monitor
from baffle.monitor.many import Many


def _tensorboard(**options: Any) -> Monitor:
    from baffle.monitor.tensorboard import TensorBoard

    return TensorBoard(**options)


def _mlflow(**options: Any) -> Monitor:
    from baffle.monitor.mlflow import MLflow

    return MLflow(**options)


def _prometheus(**options: Any) -> Monitor:
    from baffle.monitor.prometheus import Prometheus

    return Prometheus(**options)


def _logs(**options: Any) -> Monitor:
    from baffle.monitor.logs import JsonLog

    return JsonLog(**options)


# A name is also the extra that installs what the monitor needs; logs need nothing.
MONITORS: dict[str, Callable[..., Monitor]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
    "prometheus": _prometheus,
    "logs": _logs,
}


def monitors_of(options: Mapping[str, Mapping[str, Any]]) -> Many:
    """Return the monitors that are asked for, as one.

    Args:
        options: keyword arguments by monitor: `tensorboard` (folder), `mlflow` (uri, experiment),
            `prometheus` (port, host), `logs` (file).

    Raises:
        ConfigError: an unknown name, a package that is not installed, a port that is taken, a file
            that cannot be written.

    Example:
        >>> monitors_of({"logs": {"file": None}}).names
        ('logs',)
    """
    monitors: dict[str, Monitor] = {}
    try:
        for name, given in options.items():
            monitors[name] = _made(name, given)
    except ConfigError:
        Many(monitors).close()
        raise
    return Many(monitors)


def _made(name: str, options: Mapping[str, Any]) -> Monitor:
    if name not in MONITORS:
        raise ConfigError(f"a monitor must be one of {', '.join(MONITORS)}, got {name!r}")
    try:
        return MONITORS[name](**options)
    except ImportError as problem:
        raise ConfigError(
            f"the monitor {name} needs a package that is not installed ({problem}): "
            f"pip install 'baffle[{name}]'"
        ) from None
