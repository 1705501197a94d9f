"""A process that works off cells: `python -m baffle.drivers.compare.worker`.

It reads cells from standard input, one JSON object a line, and answers on standard output; see
`pool.py`. It ends at once when its input ends.
"""

from __future__ import annotations

import json
import math
import os
import queue
import sys
import threading
from collections.abc import Mapping
from typing import Any

from baffle.config import resolve
from baffle.drivers.compare.work import Say, work
from baffle.errors import BaffleError


def _plain(value: Any) -> Any:
    """Return JSON without nan."""
    if isinstance(value, Mapping):
        return {name: _plain(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def answer(asked: Mapping[str, Any], say: Say) -> None:
    """Work off one cell and say what came of it; an error of any kind is said, not raised."""
    try:
        line = work(asked["kind"], resolve(asked["settings"]), say)
        say({"line": _plain(line)})
    except BaffleError as problem:
        say({"error": str(problem)})
    except Exception as problem:  # a cell must not take the worker's other cells with it
        say({"error": f"{type(problem).__name__}: {problem}"})


def main() -> None:
    """Answer cells until standard input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no message
    asked: queue.Queue[Mapping[str, Any]] = queue.Queue()

    def listen() -> None:
        for text in sys.stdin:
            asked.put(json.loads(text))
        os._exit(0)  # whoever asked is gone: do not work on for nobody

    threading.Thread(target=listen, daemon=True).start()

    def say(said: dict[str, Any]) -> None:
        out.write(json.dumps(said, allow_nan=False) + "\n")
        out.flush()

    while True:
        answer(asked.get(), say)


if __name__ == "__main__":
    main()
