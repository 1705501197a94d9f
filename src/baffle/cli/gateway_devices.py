"""`baffle gateway-devices` and `gateway-revoke`: who was let in, and who is turned away."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from baffle.cli.output import Output
from baffle.cli.runs import Json

if TYPE_CHECKING:
    from baffle.drivers.http.listing import Listed

RunDir = Annotated[Path, typer.Option("--run-dir", help="The gateway's run folder.")]


def gateway_devices(run_dir: RunDir, as_json: Json = False) -> None:
    """List the devices that a gateway has let in. It may run meanwhile."""
    from baffle.drivers.http.listing import listed

    found, output = listed(run_dir), Output(as_json)
    output.console.print(_table_of(found), soft_wrap=True)
    output.show({"devices": [_device(one) for one in found]})


def gateway_revoke(
    run_dir: RunDir,
    device: Annotated[
        str, typer.Argument(help="Its number, its node, or 8 or more digits of its fingerprint.")
    ],
    as_json: Json = False,
) -> None:
    """Turn a device away for good. The gateway may run meanwhile, and obeys at once."""
    from baffle.drivers.http.listing import revoke

    found = revoke(run_dir, device, time.time())
    said = f"device {found.number} ({found.fingerprint}, node {found.node}) is turned away"
    Output(as_json).show(_device(found), said)


def _device(found: Listed) -> dict[str, Any]:
    return {**vars(found), "key": found.key.hex(), "fingerprint": found.fingerprint}


def _table_of(devices: Sequence[Listed]) -> str:
    """Return a line a device; times are UTC."""
    head = ("number", "fingerprint", "node", "client", "enrolled", "last seen", "")
    rows = [
        (
            str(d.number), d.fingerprint, str(d.node), "-" if d.client is None else str(d.client),
            _date(d.enrolled), _date(d.seen), f"revoked {_date(d.revoked)}" if d.revoked else "",
        )
        for d in devices
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    )


def _date(seconds: int | None) -> str:
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


COMMANDS = (gateway_devices, gateway_revoke)
