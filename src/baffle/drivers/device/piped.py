"""`baffle device` whose gateway is a pipe: the process that `baffle bench device` measures.

python -m baffle.drivers.device.piped MODEL DATA STATE MEMORY

It answers what comes on standard input, and at its end says what memory it took.
"""

from __future__ import annotations

# What a device's network needs is part of what it takes.
import http.client  # noqa: F401
import json
import ssl  # noqa: F401
import sys

from baffle.drivers.device.command import Device, parser
from baffle.drivers.device.frames import receive, send
from baffle.drivers.resident import peak_mib
from baffle.fleet import Guard
from baffle.protocol.exchange.signed import Pin

NODE = 1


def main(model: str, data: str, state: str, memory: str) -> None:
    """Answer until there is no more to answer."""
    given = parser().parse_args(
        ["--server", "pipe", "--model", model, "--data", data, "--state", state, "--memory", memory]
    )
    device = Device(given)
    before = peak_mib()
    guard = Guard(device.fleet, NODE, Pin(), device.store)
    while (parts := receive(sys.stdin.buffer, device.keep)) is not None:
        send(sys.stdout.buffer, [guard.handle(parts)])
    loaded = sorted({name.split(".")[0] for name in sys.modules} & {"torch", "onnx", "typer"})
    found = {
        "peak_mib": peak_mib(),
        "before_mib": before,
        "done": device.done,
        "points": device.points,
        "loaded": loaded,
    }
    sys.stderr.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
