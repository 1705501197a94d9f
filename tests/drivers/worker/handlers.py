"""Factories that the workers of these tests load. No framework in here: they start in no time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from baffle.errors import ConfigError, DataError, LedgerTampered, Refused


class Made:
    """A factory below a class, to be reached by a qualified name."""

    @staticmethod
    def echo(options):
        return lambda parts: b"|".join(parts)


def behave(options):
    """Do what the request's first part says; count requests, since a worker is to remember."""
    count = 0
    print("made with", options)

    def handler(parts):
        nonlocal count
        count += 1
        return _DEEDS[parts[0]](parts, count, options)

    return handler


def mark(options):
    """Leave a line for every start, in the folder that the options name."""
    time.sleep(options.get("slow", 0))
    with Path(options["starts"]).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return behave(options)


def refuse(options):
    raise ConfigError(f"this client has no {options['missing']}")


def burst(options):
    print("about to burst")
    raise RuntimeError("no such thing")


def leave(options):
    os._exit(3)


def nothing(options):
    return None


def _sleep(parts, count, options):
    time.sleep(float(parts[1]))
    return b"slept"


def _kill_once(parts, count, options):
    """Die on the first time that this file is not there; answer on the second."""
    seen = Path(parts[1].decode())
    if not seen.exists():
        seen.write_text(f"{os.getpid()}")
        os.kill(os.getpid(), signal.SIGKILL)
    return b"answered"


def _kill(parts, count, options):
    os.kill(os.getpid(), signal.SIGKILL)


def _data_error(parts, count, options):
    raise DataError("no digits here")


def _refused(parts, count, options):
    raise Refused("stale", "an old round")


def _tampered(parts, count, options):
    raise LedgerTampered(7, "round 7 differs")


def _value_error(parts, count, options):
    raise ValueError("odd")


def _exit(parts, count, options):
    sys.exit("gone")


def _print(parts, count, options):
    sys.stdout.write("x" * 99 + "\n" * 1)
    for _ in range(int(parts[1])):
        sys.stdout.write("y" * 99 + "\n")
    return b"printed"


def _child(parts, count, options):
    """A process of the worker's own that outlives a killed worker for a while."""
    pid = os.fork()
    if pid == 0:
        time.sleep(float(parts[1]))
        os._exit(0)
    return str(pid).encode()


def _where(parts, count, options):
    return "\n".join([str(Path.cwd()), *sys.path, str(os.getsid(0)), str(os.getppid())]).encode()


def _torch(parts, count, options):
    return repr(sorted(name for name in ("torch", "numpy", "flwr") if name in sys.modules)).encode()


def _env(parts, count, options):
    return subprocess.run(["true"], check=True).returncode.to_bytes(1, "little")


_DEEDS = {
    b"pid": lambda parts, count, options: str(os.getpid()).encode(),
    b"count": lambda parts, count, options: str(count).encode(),
    b"options": lambda parts, count, options: repr(options).encode(),
    b"join": lambda parts, count, options: b"".join(parts[1:]),
    b"much": lambda parts, count, options: bytes(int(parts[1])),
    b"text": lambda parts, count, options: "no bytes",
    b"sleep": _sleep,
    b"kill once": _kill_once,
    b"kill": _kill,
    b"data error": _data_error,
    b"refused": _refused,
    b"tampered": _tampered,
    b"value error": _value_error,
    b"exit": _exit,
    b"print": _print,
    b"child": _child,
    b"where": _where,
    b"modules": _torch,
    b"run": _env,
}
