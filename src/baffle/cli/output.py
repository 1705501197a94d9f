"""Where things go: people read the console, machines the last line of standard output."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from rich.console import Console


class Output:
    """With `--json`, people read standard error, and one JSON object ends standard output.

    Args:
        as_json: whether --json was given.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(stderr=as_json, highlight=False)

    def show(self, value: dict[str, Any], *renderables: Any) -> None:
        """Print the renderables for people, then the value for machines if asked for."""
        for renderable in renderables:
            self.console.print(renderable)
        if self.as_json:
            sys.stdout.write(json.dumps(_plain(value), sort_keys=True, allow_nan=False) + "\n")
            sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
