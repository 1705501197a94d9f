"""A gateway that listens, in a process that can be killed, and devices that train with it."""

import multiprocessing
import os
import signal
import socket
import threading

from torch.nn.functional import cross_entropy

from baffle.config import fleet_settings, resolve
from baffle.drivers.fleet.key import server_key
from baffle.drivers.fleet.task import server_task
from baffle.drivers.http.caller import Caller
from baffle.drivers.http.roster import Roster
from baffle.drivers.http.serve import Place, Watching, serve_http
from baffle.drivers.http.transport import HttpTransport
from baffle.drivers.http.trying import Manners
from baffle.errors import LinkLost, Refused
from baffle.fleet import Guard
from baffle.ledger import Ledger
from baffle.protocol.exchange.signed import Pin, public_bytes
from tests.drivers.fleet.loopback import CLIENTS, CONFIG, client

FLEET = {"gather": 30.0, "deadline": 20.0, "farewell": 5.0, "poll": 0.02, "remind": 0.0}
HASTY = Manners(patience=30.0, first=0.02, most=0.2)
HOST = "127.0.0.1"


def roster_of(folder):
    """Return the roster of a run folder, before its gateway has started."""
    folder.mkdir(parents=True, exist_ok=True)
    return Roster(folder, public_bytes(server_key(folder / "server.key")))


def free_port():
    with socket.socket() as found:
        found.bind((HOST, 0))
        return found.getsockname()[1]


def serve(folder, port=0, config=CONFIG, watching=None, **place):
    """Serve a run in this thread until it is done."""
    return serve_http(
        resolve(config),
        fleet_settings(FLEET),
        lambda settings: server_task(settings, None, None, cross_entropy),
        folder,
        Place(HOST, port, **place),
        watching or Watching(),
    )


# --- a process that kills itself

# What is done, and by whom; the process ends right after it is done for the n-th time.
MOMENTS = {
    "enrolled": (Roster, "append"),
    "asked": (HttpTransport, "carry"),
    "fetched": (HttpTransport, "fetch"),
    "answered": (HttpTransport, "answer"),
    "stored": (Ledger, "append"),
}


def gateway_process(folder, port, moment, times):
    """Serve a run, and end by SIGKILL at a moment; None for a process that lives."""
    if moment is not None:
        _die_after(*MOMENTS[moment], times)
    serve(folder, port)


def _die_after(owner, name, times):
    whole, left = getattr(owner, name), [times]

    def counted(*args, **named):
        found = whole(*args, **named)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(owner, name, counted)


def run_and_kill(folder, port, moments, seconds=30.0):
    """Run a gateway again and again, killed at each of some moments; returns the exit codes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.drivers.http.warm"])
    codes = []
    for moment, times in (*moments, (None, 0)):
        process = context.Process(
            target=gateway_process, args=(folder, port, moment, times), daemon=True
        )
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
        codes.append(process.exitcode)
    return codes


# --- devices


class Device(threading.Thread):
    """A client behind a caller, until the run is over."""

    one_at_a_time = threading.Lock()  # they share one model in this process

    def __init__(self, folder, number, url, token, **named):
        super().__init__(daemon=True)
        self.client = client(folder / f"client-{number}", number)
        self.url, self.token, self.folder, self.named = url, token, folder / f"edge-{number}", named
        self.ended, self.wanted = None, []

    def run(self):
        try:
            with Caller(self.url, self.folder, manners=HASTY, **self.named) as caller:
                self._run(caller)
        except (Refused, LinkLost) as problem:
            self.ended = getattr(problem, "reason", "lost")

    def _run(self, caller):
        caller.enrol(self.token)
        guard = Guard(self.client, caller.node, Pin(caller.server_key), self.client.store)
        while True:
            if (parts := caller.ask(1.0)) is not None:
                with self.one_at_a_time:
                    answer = guard.handle(parts)
                self.wanted.append(caller.answer(answer))

    @property
    def digest(self):
        return self.client._replica.digest.hex()


def devices_of(folder, port, tokens, scheme="http", numbers=range(CLIENTS), **named):
    """Start a device for each token."""
    url = f"{scheme}://{HOST}:{port}"
    found = [
        Device(folder, n, url, token.text, **named)
        for n, token in zip(numbers, tokens, strict=True)
    ]
    for device in found:
        device.start()
    return found
