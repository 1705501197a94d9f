"""A Flower node without torch: the exported model that its configuration names.

exported-model  folder as `baffle export` made it; then the app's own functions are not called
data-dir        folder of its .npy files, as `baffle device --data` takes it
memory          MiB that the process may take; no bound by default
threads         of a pass, 1 by default
provider        ONNX Runtime's execution provider, the CPU's by default
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baffle.drivers.resident import peak_mib
from baffle.errors import BaffleError, ConfigError

if TYPE_CHECKING:  # a process that only looks whether there is one starts for every message
    from baffle.drivers.device.exported import Place
    from baffle.fleet import Backing
    from baffle.protocol import Genesis

MODEL, DATA = "exported-model", "data-dir"
MEMORY, THREADS, PROVIDER = "memory", "threads", "provider"


def is_exported(node_config: Mapping[str, Any]) -> bool:
    """Return whether a node's configuration names an exported model."""
    return MODEL in node_config


def exported_maker(node_config: Mapping[str, Any], folder: Path) -> Callable[[Genesis], Backing]:
    """Return what makes a client's model and data of a genesis.

    Args:
        node_config: of the node.
        folder: the client's own.
    """
    taken = peak_mib()  # before it holds a state

    def make(genesis: Genesis) -> Backing:
        from baffle.drivers.device.exported import Exported

        return Exported(place_of(node_config, folder), taken).backing(genesis)

    return make


def lies_on_disk(node_config: Mapping[str, Any], folder: Path) -> bool:
    """Say whether the client's state has to lie on disk, for its memory's sake.

    A configuration that is none says no: its error is told when an ask comes.

    Args:
        node_config: of the node.
        folder: the client's own.
    """
    if not is_exported(node_config):
        return False
    from baffle.backends.onnx.manifest import Manifest
    from baffle.drivers.device.budget import Budget

    try:
        place = place_of(node_config, folder)
        return Budget(place.memory).on_disk(Manifest.read(place.model), peak_mib())
    except BaffleError:
        return False


def place_of(node_config: Mapping[str, Any], folder: Path) -> Place:
    """Return where a node's exported model lies, and how it is run.

    Raises:
        ConfigError: a folder is not named, or a value is none.
    """
    from baffle.drivers.device.exported import Place

    found = Place(_folder(node_config, MODEL), _folder(node_config, DATA), folder)
    return Place(
        found.model,
        found.data,
        found.state,
        float(_number(node_config, MEMORY, found.memory, (int, float))),
        int(_number(node_config, THREADS, found.threads, (int,))),
        _text(node_config, PROVIDER, found.provider),
    )


def _folder(node_config: Mapping[str, Any], name: str) -> Path:
    return Path(_text(node_config, name, "")).expanduser().absolute()


def _text(node_config: Mapping[str, Any], name: str, default: str) -> str:
    found = node_config.get(name, default)
    if not isinstance(found, str) or not found:
        raise ConfigError(
            f"the node's {name}: expected a text, got {found!r}; {MODEL} and {DATA} go together"
        )
    return found


def _number(
    node_config: Mapping[str, Any], name: str, default: float, kinds: tuple[type, ...]
) -> float:
    found = node_config.get(name, default)
    if type(found) not in kinds or not 0 <= found < math.inf:
        raise ConfigError(f"the node's {name}: expected a number from 0, got {found!r}")
    return found
