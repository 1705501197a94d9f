"""What a client does with a message's bytes: the factory that its process is started with."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from baffle.drivers.fleet.demands import demands_of
from baffle.drivers.fleet.identity import own_secret, pin_of_key
from baffle.drivers.flower.exported import DATA, MODEL, exported_maker, is_exported, lies_on_disk
from baffle.errors import ConfigError
from baffle.fleet import Backing, FleetClient, FolderStore, Guard, Identity, Keys, Store
from baffle.protocol import Genesis
from baffle.protocol.exchange.signed import Pin

SERVER_KEY = "server-key"
Handler = Callable[[Sequence[bytes]], bytes]


class KeyedStore(Store, Keys, Protocol):
    """A client's store that keeps servers' keys as well."""


def make_handler(options: Mapping[str, Any]) -> Handler:
    """Return what answers a client's asks, for a process of its own.

    Args:
        options: as `handler_options` makes them.

    Raises:
        ConfigError: a function that is named cannot be imported.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    folder = Path(options["folder"])
    store = FolderStore(folder, lies_on_disk(options["node_config"], folder))
    demands = demands_of(options["node_config"])
    client = FleetClient(
        identity_of(options, folder), maker_of(options), store, time.perf_counter, demands
    )
    return Guard(client, options["node"], pin_of(options), store).handle


def pin_of(options: Mapping[str, Any]) -> Pin:
    """Return whose asks a client answers.

    Raises:
        ConfigError: the node's server-key is no public key.
    """
    named = options["node_config"].get(SERVER_KEY)
    return pin_of_key(None if named is None else str(named), f"the node's {SERVER_KEY}")


def identity_of(options: Mapping[str, Any], folder: Path | None) -> Identity:
    """Return who a client is.

    Args:
        options: "simulated": whether its secret comes from the run key; "claim": its number.
        folder: where its own secret lies; None if it is simulated.
    """
    claim = options["claim"]
    if options["simulated"]:
        if claim is None:
            raise ConfigError("a simulated client needs a number: set the node's partition-id")
        return Identity(lambda genesis: _simulated(genesis, claim), claim)
    assert folder is not None
    own = own_secret(folder)
    return Identity(lambda genesis: own, claim)


def _simulated(genesis: Genesis, number: int) -> bytes:
    from baffle.drivers.local.roster import simulated_secret

    return simulated_secret(genesis.key, number)


def maker_of(
    options: Mapping[str, Any], functions: Mapping[str, Any] | None = None
) -> Callable[[Genesis], Backing]:
    """Return what makes a client's model and data of a genesis.

    Args:
        options: as a client's process is started with.
        functions: the app's own; None to import what the options name. A node that names an
            exported model has no use for either, and none for torch.
    """
    if is_exported(options["node_config"]):
        return exported_maker(options["node_config"], Path(options["folder"]))
    names = ("make_model", "make_data", "loss")

    def make(genesis: Genesis) -> Backing:
        _require_torch()
        from torch.nn.functional import cross_entropy

        from baffle.drivers.fleet.task import backing_of

        own = {name: function_of((functions or options)[name]) for name in names}
        return backing_of(
            genesis,
            options["claim"],
            own["make_model"],
            own["make_data"],
            options["node_config"],
            own["loss"] or cross_entropy,
        )

    return make


def _require_torch() -> None:
    if find_spec("torch") is None:
        raise ConfigError(
            f"torch is not installed at this node: name an exported model by its {MODEL} and its "
            f"{DATA}, or install baffle[flower]"
        )


def function_of(reference: Any) -> Any:
    """Return the function that "module:name" names; None and functions as they are.

    Raises:
        ConfigError: there is none.
    """
    if not isinstance(reference, str):
        return reference
    module, _, name = reference.partition(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as problem:
        raise ConfigError(f"{reference} cannot be imported: {problem}") from None
    return found


def reference_of(function: Any) -> str | None:
    """Return "module:name" of a function that another process can import, None otherwise.

    A text is taken for such a name already.

    Example:
        >>> reference_of(reference_of), reference_of(lambda: 0)
        ('baffle.drivers.flower.handler:reference_of', None)
    """
    if isinstance(function, str):
        return function
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "<")
    importable = module and module != "__main__" and "<" not in name
    return f"{module}:{name}" if importable else None


def in_process(
    options: Mapping[str, Any], functions: Mapping[str, Any], store: KeyedStore
) -> Guard:
    """Return a client for one message, whose model and data outlive it in this process."""
    folder = None if options["simulated"] else Path(options["folder"])
    make = maker_of(options, functions)

    def cached(genesis: Genesis) -> Backing:
        key = (genesis.run, options["claim"], options["folder"])
        if key not in _BACKINGS:
            while len(_BACKINGS) >= MOST_BACKINGS:
                _BACKINGS.pop(next(iter(_BACKINGS)))
            _BACKINGS[key] = make(genesis)
        return _BACKINGS[key]

    demands = demands_of(options["node_config"])
    client = FleetClient(identity_of(options, folder), cached, store, time.perf_counter, demands)
    return Guard(client, options["node"], pin_of(options), store)


MOST_BACKINGS = 64
_BACKINGS: dict[Any, Backing] = {}
