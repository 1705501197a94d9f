"""A fleet's run from its folder to its last round, over whatever network is given."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baffle.baselines import BASELINES
from baffle.config import FleetSettings, Settings
from baffle.drivers.build import most_directions
from baffle.drivers.fleet.run import FleetRun, MakeTask, open_run
from baffle.drivers.fleet.serve import Serving
from baffle.drivers.fleet.transport import Transport
from baffle.drivers.local.metrics import Row
from baffle.errors import ConfigError, LedgerLocked
from baffle.monitor import Many, monitors_of
from baffle.protocol.codec import report_size
from baffle.secagg.spec import MOST_NEIGHBOURS
from baffle.secagg.wire import SEALED_BYTES, SHARE_BYTES, TOKEN_BYTES

LOCK_SECONDS = 2.0
AROUND = 4096  # bytes of an answer besides what it answers; more than any trouble takes
LANE = 8  # bytes of a masked integer at most, and how many go beside a vector's values
BESIDE = 16
SHARES = SEALED_BYTES + 2 * TOKEN_BYTES + SHARE_BYTES  # that a neighbour of a secure sum costs
Connect = Callable[[FleetRun], AbstractContextManager[Transport]]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """What came of serving: the run, closed, and whether all its rounds are done."""

    run: FleetRun
    done: bool


@dataclass(frozen=True)
class Hooks:
    """Who is told, and who may end it.

    Args:
        on_row: called with each round's row.
        on_done: called once all rounds are stored, before the folder says that it is done.
        stop: asked at each look; the run can be gone on with later.
    """

    on_row: Callable[[Row], None] = lambda row: None
    on_done: Callable[[FleetRun], None] = lambda run: None
    stop: Callable[[], bool] = lambda: False


def host(
    settings: Settings,
    fleet: FleetSettings,
    make_task: MakeTask,
    folder: Path,
    connect: Connect,
    hooks: Hooks,
) -> Served:
    """Run a fleet from where its folder stands to its last round.

    Args:
        settings: of the run, as asked for.
        fleet: how it is run.
        make_task: settings to the server's task.
        folder: run folder.
        connect: the opened run to its network, for as long as it is served.
        hooks: who is told.

    Raises:
        ConfigError: a baseline, which has no rounds that could be carried.
        BaffleError: as `open_run` and `Serving.serve`.
    """
    if settings.algorithm in BASELINES:
        raise ConfigError(
            f"{settings.algorithm} is a baseline, to be compared with in one process: `baffle run`"
        )
    if fleet.secrets == "simulated":
        logger.warning(
            "fleet.secrets is simulated: clients' secrets come from the run key, which all sides "
            "know; for trials only"
        )
    run = patiently(lambda: open_run(settings, fleet, make_task, folder), fleet.patience)
    try:
        with connect(run) as transport, _monitors(fleet, folder) as monitor:
            monitor.begin(about(run))
            serving = Serving(run, transport, monitor, hooks.on_row, hooks.on_done, hooks.stop)
            done = serving.serve()
            monitor.end(_end(run))
    finally:
        run.close()
    return Served(run, done)


def patiently(opens: Callable[[], FleetRun], patience: float) -> FleetRun:
    """Return what is opened, once whoever holds the folder lets go of it.

    A run may be started anew while the process of the one before is still ending.
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


def longest_answer(settings: Settings) -> int:
    """Return the bytes that an answer in a run may have: what a network has to take.

    In a run of secure sums the longest is a masked vector, or in a large group what opens one sum
    together with the shares for the next.
    """
    count = most_directions(settings) * settings.probe.num_local_steps
    if not settings.secure.sums:
        return report_size(count, settings.quantisation.bits) + AROUND
    neighbours = min(settings.federation.clients - 1, MOST_NEIGHBOURS)
    return max(LANE * (count + BESIDE), SHARES * neighbours) + AROUND


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
