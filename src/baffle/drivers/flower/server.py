"""A Flower ServerApp around a fleet's run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from baffle.drivers.fleet.hosting import Hooks, Served, host, longest_answer, run_folder
from baffle.drivers.fleet.run import FleetRun, MakeTask
from baffle.drivers.flower.config import settings_of
from baffle.drivers.flower.records import MAX_PART, MAX_TOTAL
from baffle.drivers.flower.transport import Ask, GridTransport, Reply
from baffle.drivers.local.metrics import Row
from baffle.errors import ConfigError
from baffle.fleet import Outgoing
from baffle.ledger import snapshot


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
        BaffleError: as `host`.
    """
    settings, fleet = settings_of(run_config, *given)
    folder = run_folder(settings, fleet)
    return host(
        settings,
        fleet,
        make_task,
        folder,
        lambda run: nullcontext(_transport(grid, run)),
        Hooks(on_row, on_done),
    )


def _transport(grid: Any, run: FleetRun) -> FlowerTransport:
    """Return Flower's Grid as the run's network.

    Raises:
        ConfigError: a state of the run would not go into one message.
    """
    state, room = snapshot.size(run.coordinator.server.state), MAX_TOTAL - MAX_PART
    if state > room:
        raise ConfigError(
            f"a client that joins gets the whole state, {state:,} bytes here, in one message, "
            f"which takes {room:,}: train fewer weights, or without an average and with sgd"
        )
    most = longest_answer(run.settings)
    return FlowerTransport(GridTransport(grid, patience=run.fleet.patience, max_reply=most))
