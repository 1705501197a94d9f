"""A Flower ClientApp around a fleet's client. Light to import: it starts anew for every message.

Where a node is deployed, model, data and state live in a process that outlives the message (see
`drivers/worker`). In Flower's simulation, and for functions that cannot be named, they live here.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baffle.drivers.flower.exported import is_exported
from baffle.errors import ConfigError, DecodeError

NUMBERS = ("client", "partition-id")
STATE_DIR = "state-dir"
LEAST_PATIENCE = 15.0
logger = logging.getLogger(__name__)


def make_client_app(make_model: Any, make_data: Any, loss: Any) -> Any:
    """Return Flower's ClientApp.

    Args:
        make_model: () to module, or None for the run's named model.
        make_data: node's configuration to (train, held out) or train alone, or None.
        loss: (output, target) to the batch's mean loss; None for cross-entropy.
    """
    from flwr.app import Message
    from flwr.clientapp import ClientApp

    from baffle.drivers.flower.records import from_record, to_record

    app = ClientApp()
    functions = {"make_model": make_model, "make_data": make_data, "loss": loss}

    @app.train()
    def answer(message: Any, context: Any) -> Any:
        try:
            parts = from_record(message.content)
        except DecodeError as problem:
            logger.error("an ask that is none: %s", problem)
            parts = []  # answered as such, so that the server hears of it
        data = answer_of(parts, context, functions)
        return Message(to_record([data]), reply_to=message)

    return app


def answer_of(parts: list[bytes], context: Any, functions: Mapping[str, Any]) -> bytes:
    """Return the answer to an ask.

    Args:
        parts: of the message.
        context: Flower's.
        functions: the app's own, by name.
    """
    fleet = _fleet(context.run_config)
    simulation = _is_simulated()
    options = options_of(context, fleet, functions, simulation)
    # A node with an exported model calls none of the functions, named or not.
    references = is_exported(context.node_config) or all(
        options[name] or functions[name] is None for name in functions
    )
    process = fleet.get("process", "auto")
    if process == "lasting" and not references:
        raise ConfigError("fleet.process is lasting: make_model and the like must be importable")
    if process == "own" or simulation or not references:
        return _here(parts, context, options, functions, simulation)
    # Longer than a round nobody waits; a start that takes longer goes on, and the next ask waits.
    return _lasting(parts, options, max(LEAST_PATIENCE, float(fleet.get("deadline", 120.0))))


def _is_simulated() -> bool:
    """Return whether this process is one of those that Flower's simulation runs clients in."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return False
    return ray.get_runtime_context().get_actor_id() is not None


def options_of(
    context: Any, fleet: Mapping[str, Any], functions: Mapping[str, Any], simulation: bool
) -> dict[str, Any]:
    """Return what a client's process is started with."""
    from baffle.drivers.flower.handler import reference_of

    node = dict(context.node_config)
    origin = fleet.get("secrets", "auto")
    claim = next((int(node[name]) for name in NUMBERS if name in node), None)
    return {
        "folder": str(_folder(context, fleet)),
        "claim": claim,
        "node": int(context.node_id),
        "simulated": origin == "simulated" or (origin == "auto" and simulation),
        "node_config": node,
        **{name: reference_of(function) for name, function in functions.items()},
    }


def _folder(context: Any, fleet: Mapping[str, Any]) -> Path:
    """Return the folder of this node's client: its own if it names one."""
    named = context.node_config.get(STATE_DIR)
    if named:
        return Path(str(named)).expanduser().absolute()
    below = fleet.get("state-dir") or fleet.get("state_dir")
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    parent = Path(str(below)) if below else Path(home) / "baffle"
    return (parent.expanduser() / f"node-{context.node_id}").absolute()


def _fleet(run_config: Mapping[str, Any]) -> dict[str, Any]:
    prefix = "fleet."
    return {k.removeprefix(prefix): v for k, v in run_config.items() if k.startswith(prefix)}


def _lasting(parts: list[bytes], options: Mapping[str, Any], patience: float) -> bytes:
    from baffle.drivers.worker.call import call

    return call(
        Path(options["folder"]) / "worker",
        "baffle.drivers.flower.handler:make_handler",
        options,
        parts,
        patience=patience,
        watch_pid=os.getppid(),
    )


def _here(
    parts: list[bytes],
    context: Any,
    options: Mapping[str, Any],
    functions: Mapping[str, Any],
    simulation: bool,
) -> bytes:
    from baffle.drivers.flower.handler import in_process
    from baffle.drivers.flower.simulated import RecordStore
    from baffle.fleet import FolderStore

    store = RecordStore(context.state) if simulation else FolderStore(Path(options["folder"]))
    return in_process(options, functions, store).handle(parts)
