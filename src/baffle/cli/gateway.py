"""`baffle gateway`: a fleet's server for devices that speak HTTP, and tokens that let them in."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from baffle.cli.output import Output
from baffle.cli.runs import Json, _assignment, _nested
from baffle.config import FleetSettings, Settings, fleet_settings, load_config, resolve
from baffle.errors import ConfigError

if TYPE_CHECKING:
    from baffle.drivers.fleet.run import FleetRun
    from baffle.drivers.fleet.task import ServerTask
    from baffle.drivers.http.serve import Place

RunDir = Annotated[
    Path, typer.Option("--run-dir", help="The run folder; a run that is in it goes on.")
]
Config = Annotated[
    Path | None,
    typer.Option(help="A configuration file, [fleet] included; by default the folder's own."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any setting, as in the file."),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="file.py:name or package.module:name of the first weights' model, for one that the "
        "configuration cannot name; wanted again when the run goes on.",
    ),
]
CONFIG, FLEET, OWN = "config.toml", "fleet", "own"


def gateway(
    run_dir: RunDir,
    config: Config = None,
    setting: Set = None,
    model: Model = "",
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for one that is free.")] = (
        8443
    ),
    cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's private key, PEM.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow plain HTTP to other machines.")
    ] = False,
    connections: Annotated[int, typer.Option(min=1, help="Connections at once, at most.")] = 4096,
    as_json: Json = False,
) -> None:
    """Serve a run to devices over HTTP(S), from where its folder stands to its last round.

    Needs baffle[gateway]. Ctrl-C ends it with everything stored; the same command goes on.
    """
    own = [f"model.name={OWN}"] if model else []
    settings, fleet = _settings(run_dir, config, [*(setting or []), *own])
    place = _place(host, port, cert, key, insecure, connections)
    place.require_safe()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    output = Output(as_json)
    found = _serve(settings, fleet, run_dir, model, place, output)
    said = f"round {found['rounds']} of {settings.rounds}: digest {found['digest']}"
    output.show(found, said if found["done"] else f"stopped after {said}; the same command goes on")


def gateway_token(
    run_dir: RunDir,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 1,
    valid_hours: Annotated[
        float | None, typer.Option(min=0.0, help="Hours in which they let in; for ever by default.")
    ] = None,
    config: Config = None,
    setting: Set = None,
    as_json: Json = False,
) -> None:
    """Print tokens: each lets one device in, once. The gateway may run meanwhile."""
    from baffle.drivers.fleet.key import server_key
    from baffle.drivers.fleet.run import SERVER_KEY
    from baffle.drivers.http.roster import Roster
    from baffle.ledger.database import DATABASE
    from baffle.ledger.durable import make_folder
    from baffle.protocol.exchange.signed import public_bytes

    _, fleet = _settings(run_dir, config, setting)
    make_folder(run_dir)
    named = Path(fleet.server_key).expanduser() if fleet.server_key else run_dir / SERVER_KEY
    own = server_key(named, make=not (run_dir / DATABASE).exists())
    roster = Roster(run_dir, public_bytes(own))
    until = None if valid_hours is None else time.time() + 3600 * valid_hours
    tokens = [roster.issue(until).text for _ in range(count)]
    Output(as_json).show({"tokens": tokens, "until": until}, "\n".join(tokens))


def _settings(
    run_dir: Path, config: Path | None, setting: list[str] | None
) -> tuple[Settings, FleetSettings]:
    """Return a run's settings and its fleet's: a file, or what the folder has, then the options."""
    own = run_dir / CONFIG
    path = config or (own if own.is_file() else None)
    layers = [load_config(path) if path else {}]
    layers += [_nested(*_assignment(text)) for text in setting or []]
    fleet: dict[str, Any] = {}
    for layer in layers:
        fleet |= _table(layer.pop(FLEET, {}))
    return resolve(*layers), fleet_settings(fleet)


def _table(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise ConfigError(f"fleet: expected a table of settings, got {found!r}")
    return found


def _place(
    host: str, port: int, cert: Path | None, key: Path | None, insecure: bool, connections: int
) -> Place:
    try:
        from baffle.drivers.http.listener import Tls
        from baffle.drivers.http.serve import Place
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"a gateway needs {missing.name}: pip install 'baffle[gateway]'"
        ) from None
    if (cert is None) != (key is None):
        raise ConfigError("--cert and --key go together: a certificate chain and its private key")
    tls = Tls(cert, key) if cert and key else None
    return Place(host, port, tls, insecure, connections)


def _serve(
    settings: Settings,
    fleet: FleetSettings,
    folder: Path,
    model: str,
    place: Place,
    output: Output,
) -> dict[str, Any]:
    """Serve a run, and return what it came to."""
    from safetensors.numpy import save_file

    from baffle.api.run import MODEL, draw_if_possible
    from baffle.drivers.fleet.hosting import Hooks
    from baffle.drivers.http.serve import Watching, serve_http

    def listening(port: int) -> None:
        scheme = "https" if place.tls else "http"
        output.console.print(f"listening at {scheme}://{place.host}:{port}, run folder {folder}")

    def row(found: Mapping[str, Any]) -> None:
        output.console.print(_line(found))

    def done(run: FleetRun) -> None:
        save_file(run.served(), run.folder / MODEL)
        draw_if_possible(run.folder)

    served = serve_http(
        settings,
        fleet,
        lambda settings: _task(settings, model),
        folder,
        place,
        Watching(Hooks(row, done), listening),
    )
    server, rows = served.run.coordinator.server, served.run.book.log.rows
    return {
        "run_dir": str(folder),
        "rounds": server.state.round,
        "done": served.done,
        "digest": server.digest.hex(),
        "test_accuracy": rows[-1].get("test_accuracy") if rows else None,
    }


def _task(settings: Settings, model: str) -> ServerTask:
    """Return the named task, or a model of the user's with the named data's test rows."""
    from torch.nn.functional import cross_entropy

    from baffle.drivers.fleet.task import server_task

    if not model:
        return server_task(settings, None, None, cross_entropy)
    from baffle.data import load
    from baffle.models.locate import find_model

    d = settings.data
    data = None if d.name == OWN else load(d.name, d.root or None, **d.options)
    test = None if data is None else (data.test_x, data.test_y)
    return server_task(settings, lambda: find_model(model), test, cross_entropy)


def _line(row: Mapping[str, Any]) -> str:
    accuracy = row.get("test_accuracy")
    tested = f"  accuracy {accuracy:.4f}" if accuracy is not None else ""
    return (
        f"round {row['round']}  loss {row['loss']:.4f}{tested}  reports {row['reports']} of "
        f"{row['asked']}  {row['round_seconds']:.2f} s  digest {row['digest'][:16]}"
    )


COMMANDS = (gateway, gateway_token)
