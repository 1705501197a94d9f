"""`baffle device`, as the other commands list it; its options: drivers/device/command.py."""

from __future__ import annotations

import typer

ANY = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def device(context: typer.Context) -> None:
    """Train on this device with ONNX Runtime alone, as a client of a gateway."""
    from baffle.drivers.device.command import main

    raise typer.Exit(main(context.args))
