"""The options that hand a run to other tools; all are off by default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from baffle.errors import ConfigError
from baffle.monitor import Many, monitors_of

TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Write TensorBoard events into the run folder.")
]
TensorBoardDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write TensorBoard events there instead.")
]
MLflow = Annotated[
    str | None, typer.Option(metavar="URI", help="Log to MLflow: a server, sqlite:/// or file://.")
]
Prometheus = Annotated[
    str | None,
    typer.Option(metavar="[HOST:]PORT", help="Serve figures to Prometheus; host 127.0.0.1."),
]
LogJson = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Append one JSON object a line; - for stderr.")
]


def monitors(
    tensorboard: bool,
    tensorboard_dir: Path | None,
    mlflow: str | None,
    prometheus: str | None,
    log_json: Path | None,
) -> Many:
    """Return the monitors that the options ask for.

    Raises:
        ConfigError: see `monitors_of`, or an address that is none.
    """
    options: dict[str, dict[str, Any]] = {}
    if tensorboard or tensorboard_dir:
        options["tensorboard"] = {"folder": tensorboard_dir}
    if mlflow:
        options["mlflow"] = {"uri": mlflow}
    if prometheus:
        options["prometheus"] = _address(prometheus)
    if log_json:
        options["logs"] = {"file": None if str(log_json) == "-" else log_json}
    return monitors_of(options)


def _address(text: str) -> dict[str, Any]:
    """Return host and port of [HOST:]PORT; an IPv6 host stands in brackets.

    Example:
        >>> _address("9100"), _address("[::1]:9100")
        ({'port': 9100}, {'port': 9100, 'host': '::1'})
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise ConfigError(f"--prometheus wants [HOST:]PORT with a port below 65536, got {text!r}")
    return {"port": int(port)} | ({"host": host.strip("[]")} if host else {})
