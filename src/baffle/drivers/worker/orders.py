"""What a worker is to run, as one value: its bytes on the way to the process, its fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from baffle import __version__
from baffle.errors import ConfigError

MAX_OPTIONS = 1 << 20  # characters
MAX_S = 1e6  # poll(2) counts milliseconds in 31 bits


class Orders(NamedTuple):
    """All that a worker process is told when it starts.

    Args:
        version: `here()` of the caller.
        reference: the factory, "module:qualname".
        options: what the factory is called with, as JSON text.
        paths: its sys.path.
        cwd: its working folder.
        idle_s: seconds without a request after which it ends.
        start_s: seconds that import and factory may take before it ends itself.
        limit: the most bytes of one request or answer.
        watch_pid: a process id; the worker ends when that process has ended. Or None.
        start: a name for this start, so that its outcome is not taken for another's.
    """

    version: str
    reference: str
    options: str
    paths: tuple[str, ...]
    cwd: str
    idle_s: float
    start_s: float
    limit: int
    watch_pid: int | None
    start: str

    def fingerprint(self) -> str:
        """Hash of all that decides which code answers, 64 hexadecimal digits."""
        what = [self.version, self.reference, self.options, str(self.limit), self.cwd, *self.paths]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    def to_json(self) -> bytes:
        """The orders as they go to the worker's standard input."""
        return json.dumps(self._asdict()).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Orders:
        """Read what `to_json` wrote."""
        values = json.loads(data)
        if not isinstance(values, dict) or set(values) != set(cls._fields):
            raise ConfigError(f"a worker's orders hold {', '.join(cls._fields)} and nothing else")
        return cls(**{**values, "paths": tuple(values["paths"])})


def here() -> str:
    """Which baffle runs in this process, on which Python."""
    return f"baffle {__version__} on Python {sys.version}"


def seconds(name: str, value: float) -> float:
    """The value, if clocks can wait for it; raises ConfigError for others."""
    if not 0 < value < MAX_S:
        raise ConfigError(f"{name} is a number of seconds above 0 and below {MAX_S:g}, got {value}")
    return float(value)


def make_orders(
    reference: str,
    options: Mapping[str, Any],
    *,
    idle_s: float,
    start_s: float,
    limit: int,
    watch_pid: int | None = None,
    paths: Sequence[str] | None = None,
    cwd: str | None = None,
) -> Orders:
    """Check what a caller wants and write it down.

    Args:
        reference: "module:qualname" of a factory.
        options: JSON values by name.
        idle_s, start_s, limit, watch_pid: as in `Orders`.
        paths: import paths; by default those of this process.
        cwd: working folder; by default that of this process.

    Returns:
        Orders with a new `start`.

    Raises:
        ConfigError: a bad reference, options that are not JSON or too long, or a bad time.

    Example:
        >>> make_orders("p.client:make", {"n": 1}, idle_s=900, start_s=600, limit=99).options
        '{"n":1}'
    """
    check_reference(reference)
    try:
        text = json.dumps(dict(options), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a worker's options must be JSON values: {error}") from error
    if len(text) > MAX_OPTIONS:
        raise ConfigError(
            f"a worker's options have at most {MAX_OPTIONS} characters as JSON, got {len(text)}"
        )
    folder = os.path.abspath(cwd if cwd is not None else os.getcwd())  # noqa: PTH100, PTH109
    found = sys.path if paths is None else paths
    # Relative entries mean the working folder, and the empty one is the working folder itself.
    whole = tuple(os.path.normpath(os.path.join(folder, path)) for path in found)  # noqa: PTH118
    start = os.urandom(8).hex()
    times = seconds("idle_s", idle_s), seconds("start_s", start_s)
    return Orders(here(), reference, text, whole, folder, *times, limit, watch_pid, start)


def check_reference(reference: str) -> tuple[str, str]:
    """Split "module:qualname"; raises ConfigError for anything else."""
    module, _, name = reference.partition(":")
    if all(part.isidentifier() for part in [*module.split("."), *name.split(".")]):
        return module, name
    raise ConfigError(f'a handler factory is named "module:qualname", got {reference!r}')
