"""The `baffle` command: one short function a command, errors as one sentence and an exit code."""

from __future__ import annotations

import sys
from typing import Any

import typer
from rich.console import Console

from baffle.cli import (
    advise,
    bench,
    compare,
    device,
    diagnose,
    export,
    gateway,
    gateway_devices,
    models,
    runs,
    watch,
)
from baffle.errors import BaffleError

app = typer.Typer(
    help="Federated learning by forward passes alone.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
for command in (
    *runs.COMMANDS,
    watch.watch,
    compare.compare,
    diagnose.diagnose,
    advise.advise,
    *models.COMMANDS,
    export.export,
    *gateway.COMMANDS,
    *gateway_devices.COMMANDS,
):
    app.command()(command)
app.command(context_settings=dict(device.ANY))(device.device)
app.add_typer(bench.app, name="bench")


def main(args: list[str] | None = None) -> Any:
    """Run the command line; errors of ours end it with their exit code and no traceback."""
    try:
        return app(args)
    except BaffleError as problem:
        Console(stderr=True, highlight=False).print(
            f"baffle: {problem}", markup=False, soft_wrap=True
        )
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
