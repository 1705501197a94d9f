"""`python -m tools.fleet up | run APP | echo | stop FOLDER`; see --help of each."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from tools.fleet.deployment import Deployment, stop_folder
from tools.fleet.echo import measure
from tools.fleet.flower import FlowerFailed, Value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it went well."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    try:
        return int(options.command(options))
    except FlowerFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # so that `with Deployment` stops what it started


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.fleet", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(name: str, do: object, about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about)
        added.set_defaults(command=do)
        return added

    common = {"up": _up, "run": _run, "echo": _echo}
    abouts = {
        "up": "start a SuperLink and SuperNodes and keep them until Ctrl-C",
        "run": "start them, run an app folder, print how it ended",
        "echo": "start them, run the bare echo app, print seconds a round as JSON",
    }
    for name, do in common.items():
        added = command(name, do, abouts[name])
        added.add_argument("--nodes", type=int, default=3)
        added.add_argument("--folder", type=Path, help="keep keys, database and logs here")
        added.add_argument("--poll", type=float, help="seconds between Flower's looks for tasks")
        if name == "run":
            added.add_argument("app", type=Path)
        if name != "up":
            added.add_argument("--config", default="{}", help="run config as JSON")
            added.add_argument("--patience", type=float, default=600.0, help="seconds for a run")
    stop = command("stop", _stop, "stop what a deployment left that was itself killed")
    stop.add_argument("folder", type=Path)
    return parser


def _deployment(options: argparse.Namespace, scratch: str) -> Deployment:
    extra = {} if options.poll is None else {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": str(options.poll)}
    return Deployment(options.folder or Path(scratch), options.nodes, environment=extra)


def _up(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as scratch, _deployment(options, scratch) as fleet:
        print(f"SuperLink at {fleet.address}, nodes {fleet.registered}", flush=True)
        print(f"FLWR_HOME={fleet.home} flwr list fleet")
        while True:
            time.sleep(1)


def _run(options: argparse.Namespace) -> int:
    config: dict[str, Value] = json.loads(options.config)
    with tempfile.TemporaryDirectory() as scratch, _deployment(options, scratch) as fleet:
        state = fleet.wait(fleet.run(options.app, config), options.patience)
        print(f"{state.status} {state.details}".strip())
        if not state.completed:
            print(fleet.log("superlink", 40), file=sys.stderr)
        return int(not state.completed)


def _echo(options: argparse.Namespace) -> int:
    config: dict[str, Value] = json.loads(options.config)
    with tempfile.TemporaryDirectory() as scratch, _deployment(options, scratch) as fleet:
        print(json.dumps(measure(fleet, config, options.patience), indent=1))
    return 0


def _stop(options: argparse.Namespace) -> int:
    print(f"{stop_folder(options.folder)} processes stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
