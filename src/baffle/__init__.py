"""baffle: federated learning by forward passes alone.

The public names load what they need when they are first used, so that `import baffle.protocol`
on a small client does not load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "advise": "baffle.api.advise",
    "federate": "baffle.api",
    "Result": "baffle.api",
    "Settings": "baffle.config",
    "resolve": "baffle.config",
    "BaffleError": "baffle.errors",
}

__version__ = "0.1.0"
__all__ = ["BaffleError", "Result", "Settings", "__version__", "advise", "federate", "resolve"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'baffle' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
