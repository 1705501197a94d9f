"""A Flower ServerApp around a fleet's run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baffle.config import FleetSettings, Settings
from baffle.drivers.build import most_directions
from baffle.drivers.fleet.run import FleetRun, MakeTask, open_run
from baffle.drivers.fleet.serve import Serving
from baffle.drivers.flower.config import settings_of
from baffle.drivers.flower.records import MAX_PART, MAX_TOTAL
from baffle.drivers.flower.transport import Ask, GridTransport, Reply
from baffle.drivers.local.metrics import Row
from baffle.errors import ConfigError, LedgerLocked
from baffle.fleet import Outgoing
from baffle.ledger import snapshot
from baffle.monitor import Many, monitors_of
from baffle.protocol.codec import report_size

logger = logging.getLogger(__name__)
LOCK_SECONDS = 2.0
MAX_AROUND = 4096  # bytes of an answer besides its report; more than any trouble takes


@dataclass(frozen=True)
class FlowerTransport:
    """Flower's Grid as a fleet's network."""

    grid: GridTransport

    def nodes(self) -> frozenset[int]:
        """Return the nodes that the SuperLink holds for connected."""
        return self.grid.nodes()

    def carry(self, messages: Iterable[Outgoing], seconds: float, group: str) -> None:
        """Send messages that are valid for some seconds."""
        self.grid.send_many([Ask(m.node, m.parts, seconds, group) for m in messages])

    def poll(self) -> Iterable[Reply]:
        """Return what came since the last call."""
        return self.grid.poll()


@dataclass(frozen=True)
class Served:
    """What came of a ServerApp's call: the run, closed, and whether all its rounds are done."""

    run: FleetRun
    done: bool


def serve_grid(
    grid: Any,
    run_config: Mapping[str, Any],
    given: tuple[Mapping[str, Any], Mapping[str, Any]],
    make_task: MakeTask,
    on_row: Callable[[Row], None] = lambda row: None,
    on_done: Callable[[FleetRun], None] = lambda run: None,
) -> Served:
    """Run a fleet over Flower's Grid, from where its folder stands to its last round.

    Args:
        grid: Flower's.
        run_config: Flower's, flat.
        given: the app's settings by section: those that the run configuration wins over, and
            those that win over it.
        make_task: settings to the server's task.
        on_row: called with each round's row.
        on_done: called once all rounds are stored, before the folder says that it is done.

    Raises:
        BaffleError: as `open_run` and `Serving.serve`.
    """
    settings, fleet = settings_of(run_config, *given)
    folder = run_folder(settings, fleet)
    if fleet.secrets == "simulated":
        logger.warning(
            "fleet.secrets is simulated: clients' secrets come from the run key, which all sides "
            "know; for trials only"
        )
    run = _patiently(lambda: open_run(settings, fleet, make_task, folder), fleet.patience)
    try:
        transport = _transport(grid, run)
        with _monitors(fleet, folder) as monitor:
            monitor.begin(about(run))
            done = Serving(run, transport, monitor, on_row, on_done).serve()
            monitor.end(_end(run))
    finally:
        run.close()
    return Served(run, done)


def _transport(grid: Any, run: FleetRun) -> FlowerTransport:
    """Return Flower's Grid as the run's network.

    Raises:
        ConfigError: a state of the run would not go into one message.
    """
    server, fleet = run.coordinator.server, run.fleet
    state, room = snapshot.size(server.state), MAX_TOTAL - MAX_PART
    if state > room:
        raise ConfigError(
            f"a client that joins gets the whole state, {state:,} bytes here, in one message, "
            f"which takes {room:,}: train fewer weights, or without an average and with sgd"
        )
    steps, bits = run.settings.probe.num_local_steps, run.settings.quantisation.bits
    report = report_size(most_directions(run.settings) * steps, bits)
    return FlowerTransport(
        GridTransport(grid, patience=fleet.patience, max_reply=report + MAX_AROUND)
    )


def _patiently(opens: Callable[[], FleetRun], patience: float) -> FleetRun:
    """Return what is opened, once whoever holds the folder lets go of it.

    Flower may start a run anew while the process of the one before is still ending.
    """
    waited = 0.0
    while True:
        try:
            return opens()
        except LedgerLocked as problem:
            if waited >= patience:
                raise
            logger.warning("waiting for the run folder: %s", problem)
        time.sleep(LOCK_SECONDS)
        waited += LOCK_SECONDS


def run_folder(settings: Settings, fleet: FleetSettings) -> Path:
    """Return where the run lies: the same for the same settings, so that a restart finds it."""
    if fleet.run_dir:
        return Path(fleet.run_dir).expanduser().absolute()
    name = f"fleet-{settings.algorithm}-key{settings.key}"
    return (Path(settings.output.dir).expanduser() / name).absolute()


def about(run: FleetRun) -> dict[str, Any]:
    """Return what monitors are told of a run before its first row."""
    server = run.coordinator.server
    return {
        "run": server.run.hex(),
        "run_dir": str(run.folder),
        "round": server.state.round,
        "rounds": run.settings.rounds,
        "settings": run.settings.model_dump(mode="json"),
    }


def _end(run: FleetRun) -> dict[str, Any]:
    server, rows = run.coordinator.server, run.book.log.rows
    return {
        "rounds": server.state.round,
        "rounds_planned": run.settings.rounds,
        "digest": server.digest.hex(),
        "test_accuracy": rows[-1].get("test_accuracy") if rows else None,
    }


def _monitors(fleet: FleetSettings, folder: Path) -> Many:
    asked: dict[str, dict[str, Any]] = {}
    if fleet.tensorboard:
        asked["tensorboard"] = {}
    if fleet.mlflow:
        asked["mlflow"] = {"uri": fleet.mlflow}
    if fleet.prometheus:
        asked["prometheus"] = {"port": fleet.prometheus, "host": fleet.prometheus_host}
    if fleet.log_json:
        asked["logs"] = {"file": Path(fleet.log_json)}
    return monitors_of(asked)
