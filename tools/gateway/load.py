"""Many simulated devices on loopback, on connections that stay open, against one gateway process.

    python -m tools.gateway.load [--devices 2000] [--seconds 20] [--cohort 100] [--every 1.0]

Each device waits for an ask, takes a moment over it, and answers; every request is signed. Printed
are how long requests took, how many there were a second, the gateway's memory, and whether each
answer that was taken arrived at the server once. The exit code is 1 if one did not.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.drivers.http import wire
from baffle.drivers.http.enrolment import node_of
from baffle.drivers.http.refusals import decode_refusal
from baffle.drivers.http.roster import Roster
from baffle.drivers.http.signed import EPOCH_BYTES, Request, Stamp, sign
from tools.gateway.serving import PUBLIC, answer_to

WAIT_MS, THINK_SECONDS = (10_000, 20_000), 0.5
SETTLE_SECONDS = 5.0  # until all devices wait; what that takes is not counted
AT_ONCE = 50  # connections that are opened side by side at the start


@dataclass
class Seen:
    """What the devices saw.

    Args:
        took: milliseconds of requests, by kind.
        taken: answers that the gateway said it took.
        refused: names of refusals, counted.
    """

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    taken: int = 0
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Device:
    """One device on one connection."""

    def __init__(self, number: int, gateway: bytes, seen: Seen, rng: random.Random) -> None:
        self._key = key_of(number)
        self._node = node_of(gateway, self._key.public_key().public_bytes_raw())
        self._gateway, self._seen, self._rng = gateway, seen, rng
        self._counter, self._epoch = 0, bytes(EPOCH_BYTES)

    async def connect(self, port: int) -> None:
        """Open the connection and learn the epoch."""
        self._in, self._out = await asyncio.open_connection("127.0.0.1", port)
        await self.post("hello", "/v1/ask", wire.encode_wait(0))

    async def work(self) -> None:
        """Ask and answer until it is cancelled."""
        while True:
            wait = wire.encode_wait(self._rng.randint(*WAIT_MS))
            status, body = await self.post("", "/v1/ask", wait)
            if status != 200:
                continue
            number, parts = wire.decode_ask(wire.decode_parts(body))
            laid = json.loads(parts[0].rstrip(b"\0"))["at"]
            self._seen.took["ask, from when it lay ready"].append(1e3 * (time.monotonic() - laid))
            await asyncio.sleep(self._rng.uniform(0, THINK_SECONDS))
            answer = wire.encode_answer(number, answer_to(parts[0]))
            status, _ = await self.post("answer", "/v1/answer", answer)
            self._seen.taken += status == 200

    async def post(self, kind: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Send a request and return (status, body) of its response; anew for another epoch."""
        while True:
            began = time.monotonic()
            self._out.write(self._request(path, body))
            status, found = await self._response()
            if kind:
                self._seen.took[kind].append(1e3 * (time.monotonic() - began))
            if status in (200, 204):
                return status, found
            refusal = decode_refusal(status, found)
            if refusal.reason != "epoch":
                self._seen.refused[refusal.reason] += 1
                return status, found
            self._epoch = bytes.fromhex(refusal.more["epoch"])

    def _request(self, path: str, body: bytes) -> bytes:
        self._counter += 1
        stamp = Stamp(self._node, self._counter, self._epoch)
        stamp = sign(stamp, Request("POST", path, body), self._gateway, self._key)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            f"Authorization: {stamp.header()}\r\n\r\n"
        )
        return head.encode() + body

    async def _response(self) -> tuple[int, bytes]:
        head = (await self._in.readuntil(b"\r\n\r\n")).decode().lower()
        size = head.partition("content-length: ")[2].partition("\r\n")[0]
        return int(head.split(" ", 2)[1]), await self._in.readexactly(int(size or 0))


def key_of(number: int) -> Ed25519PrivateKey:
    """Return a simulated device's key."""
    return Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))


def write_roster(folder: Path, devices: int) -> bytes:
    """Write a roster of enrolled devices; returns the gateway's name."""
    roster = Roster(folder, PUBLIC)
    keys = (key_of(n).public_key().public_bytes_raw().hex() for n in range(devices))
    rows = (json.dumps({"device": key, "token": key, "at": 0}) for key in keys)
    (roster.folder / "devices.jsonl").write_text("".join(f"{row}\n" for row in rows))
    return roster.about.name


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of all are not above.

    Example:
        >>> percentile([3.0, 1.0, 2.0], 0.5)
        2.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


async def load(port: int, gateway: bytes, given: argparse.Namespace, begin: Any) -> Seen:
    """Connect all devices, let them work, and return what they saw."""
    seen, rng = Seen(), random.Random(1)
    devices = [Device(n, gateway, seen, rng) for n in range(given.devices)]
    for at in range(0, len(devices), AT_ONCE):
        await asyncio.gather(*(device.connect(port) for device in devices[at : at + AT_ONCE]))
    work = [asyncio.ensure_future(device.work()) for device in devices]
    await asyncio.sleep(SETTLE_SECONDS)
    seen.took.clear()
    begin()
    await asyncio.wait(work, timeout=given.seconds + 2.0)
    broken = [task.exception() for task in work if task.done() and not task.cancelled()]
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    if broken:
        raise RuntimeError(f"{len(broken)} devices broke off, one by {broken[0]!r}")
    return seen


def report(seen: Seen, server: dict[str, Any], given: argparse.Namespace) -> int:
    """Print the figures; returns the exit code."""
    total = sum(map(len, seen.took.values()))
    print(f"{given.devices} devices, {given.cohort} asked every {given.every:g} s")
    for kind, took in sorted(seen.took.items()):
        half, most = percentile(took, 0.5), percentile(took, 0.99)
        print(f"  {kind}: {len(took)}, p50 {half:.1f} ms, p99 {most:.1f} ms")
    print(f"  {total / given.seconds:.0f} requests a second, gateway peak {server['peak_mib']} MiB")
    print(f"  refused: {dict(seen.refused) or 'none'}")
    lost = seen.taken - server["answered"]
    print(
        f"  {server['asked']} asked, {seen.taken} answers taken, {server['answered']} arrived: "
        f"{lost} lost, {server['doubled']} doubled, {server['wrong']} wrong"
    )
    return int(lost != 0 or server["doubled"] != 0 or server["wrong"] != 0)


def main(args: Sequence[str] | None = None) -> int:
    """Run the load test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--cohort", type=int, default=100)
    parser.add_argument("--every", type=float, default=1.0)
    given = parser.parse_args(args)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        name = write_roster(Path(folder), given.devices)
        serving = [sys.executable, "-m", "tools.gateway.serving", folder]
        serving += [str(given.seconds), str(given.cohort), str(given.every)]
        gc.disable()  # the devices' own pauses are not the gateway's
        with subprocess.Popen(
            serving, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as gateway:
            assert gateway.stdin is not None
            assert gateway.stdout is not None
            try:
                seen = asyncio.run(
                    load(
                        int(gateway.stdout.readline()),
                        name,
                        given,
                        lambda: print(file=gateway.stdin, flush=True),
                    )
                )
                server = json.loads(gateway.stdout.readline())
            finally:
                gateway.kill()
    return report(seen, server, given)


if __name__ == "__main__":
    sys.exit(main())
