"""The loop of a fleet's server: look, send, wait a little; store each round before the next."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from baffle.drivers.fleet.run import FleetRun, timed_advance
from baffle.drivers.fleet.transport import Reply, Transport
from baffle.drivers.local.metrics import Row
from baffle.errors import LedgerFull
from baffle.fleet import Outgoing
from baffle.monitor import Monitor
from baffle.protocol import Closed
from baffle.protocol.exchange.signed import ENVELOPE_BYTES, sign_ask

STATUS = "fleet.json"
NODES_SECONDS, STATUS_SECONDS = 1.0, 2.0
DISK_SECONDS = 2.0
logger = logging.getLogger(__name__)


@dataclass
class Serving:
    """A run being served.

    Args:
        run: from `open_run`.
        transport: the network.
        monitor: who is told.
        on_row: called with each round's row.
        on_done: called once all rounds are stored, before the folder says that it is done.
        stop: asked at each look; the run can be gone on with later.
        clock, sleep: seconds; others in tests.
    """

    run: FleetRun
    transport: Transport
    monitor: Monitor
    on_row: Callable[[Row], None] = lambda row: None
    on_done: Callable[[FleetRun], None] = lambda run: None
    stop: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _looked: float = field(default=-1e9)
    _wrote: float = field(default=-1e9)
    _opened: float = 0.0
    _evaluation_seconds: float = 0.0
    _joined: int = 0
    _roster_changed: bool = False

    def serve(self) -> bool:
        """Run the rounds that are left; returns whether all are done.

        Raises:
            LedgerFull: the disk was full for longer than the fleet's patience.
            BaffleError: the network was away for longer than that, or the run's folder is damaged.
        """
        coordinator = self.run.coordinator
        coordinator.asking.rebuild_seconds = timed_advance(self.run)
        while not self.run.done and not self.stop():
            self._look()
            now = self.clock()
            if coordinator.round is None:
                if coordinator.ready(now):
                    self._open(now)
                    continue
            elif reason := coordinator.over(now):
                self._close(reason)
                continue
            self._wait("waiting for clients" if coordinator.round is None else "collecting")
        if self.run.done:
            self._farewell()
            self.on_done(self.run)
        self._status("done" if self.run.done else "stopped")
        return self.run.done

    # --- looking

    def _look(self) -> None:
        """Take note of nodes and answers, and send what they need."""
        now, coordinator = self.clock(), self.run.coordinator
        if now - self._looked >= NODES_SECONDS:
            self._looked = now
            self._carry(coordinator.see(self.transport.nodes(), now))
        for reply in self.transport.poll():
            self._carry(self._received(reply))
        self._carry(coordinator.due(self.clock()))
        self._tell()

    def _received(self, reply: Reply) -> list[Outgoing]:
        coordinator = self.run.coordinator
        if reply.data is None:
            coordinator.failed(reply.node, reply.problem or "no answer")
            return []
        return coordinator.receive(reply.node, reply.data, self.clock())

    def _carry(self, messages: Iterable[Outgoing]) -> None:
        signed = [self._signed(message) for message in messages]
        if signed:
            self.run.coordinator.tally.bytes_down += len(signed) * ENVELOPE_BYTES
            number = self.run.coordinator.server.state.round
            self.transport.carry(signed, self._valid(), str(number))

    def _valid(self) -> float:
        """Return for how many seconds a message makes sense: no longer than the open round."""
        open_, whole = self.run.coordinator.round, self.run.fleet.deadline
        return max(1.0, min(whole, open_.ends - self.clock())) if open_ else whole

    def _signed(self, message: Outgoing) -> Outgoing:
        ask, *chunks = message.parts
        return Outgoing(message.node, (sign_ask(ask, message.node, self.run.key), *chunks))

    def _tell(self) -> None:
        for event in self.run.coordinator.tally.drain():
            self._joined += event.name == "joined"
            self._roster_changed |= event.name == "joined"
            level = logging.WARNING if event.name in ("fault", "abandoned") else logging.INFO
            said = event.fields.get("text") or json.dumps(event.fields, default=str)
            logger.log(level, "%s: %s", event.name, said)
            self.monitor.event(event.name, **event.fields)
        if self._roster_changed:
            self._roster_changed = not self.run.keep_members()

    def _wait(self, stage: str) -> None:
        if self.clock() - self._wrote >= STATUS_SECONDS:
            self._status(stage)
        self.sleep(self.run.fleet.poll)

    # --- a round

    def _open(self, now: float) -> None:
        self._opened = now
        self._carry(self.run.coordinator.open(now))
        self._status("collecting")

    def _close(self, reason: str) -> None:
        coordinator = self.run.coordinator
        began = time.perf_counter()
        closed = coordinator.close(self.clock())
        coordinator.asking.rebuild_seconds = time.perf_counter() - began
        self._store(closed)
        done = coordinator.commit()
        seconds = self.clock() - self._opened
        row = self.run.book.add(closed, done, reason, coordinator.tally, seconds)
        self._tell()
        row["joined"], self._joined = self._joined, 0
        row |= self.run.budget.row()
        evaluates = self.run.evaluates(closed.state.round)
        # Clients work while the server evaluates, unless that takes so long that answers wait.
        if not evaluates or self._evaluation_seconds < self.run.fleet.deadline / 4:
            self._open_next()
        if evaluates:
            row |= self._evaluated()
        self._waiting_for_room(lambda: self.run.book.log.add(row), closed.plan.round)
        self.monitor.row(row)
        self.on_row(row)

    def _open_next(self) -> None:
        now = self.clock()
        if not self.run.done and self.run.coordinator.ready(now):
            self._open(now)

    def _evaluated(self) -> dict[str, Any]:
        began = self.clock()
        found = self.run.evaluate()
        self._evaluation_seconds = self.clock() - began
        return found

    def _store(self, closed: Closed) -> None:
        """Store a round; nobody hears of what is not stored."""
        self._waiting_for_room(lambda: self.run.store(closed), closed.plan.round)

    def _waiting_for_room(self, write: Callable[[], None], round: int) -> None:
        """Write; while the disk is full, wait, for as long as the fleet's patience allows."""
        waited = 0.0
        while True:
            try:
                return write()
            except (LedgerFull, OSError) as problem:
                if waited >= self.run.fleet.patience:
                    raise
                logger.error("round %d waits for room on the disk: %s", round, problem)
                self.monitor.event("disk full", round=round)
                self.sleep(DISK_SECONDS)
                waited += DISK_SECONDS

    # --- the end

    def _farewell(self) -> None:
        """Give everyone the final state, for as long as the fleet's settings allow.

        After a restart nobody is known to be there: who is gets a greeting first.
        """
        coordinator = self.run.coordinator
        self._carry(coordinator.farewell())
        ends = self.clock() + self.run.fleet.farewell
        self._look()
        while coordinator.left_to_go() and self.clock() < ends:
            self._wait("farewell")
            self._look()
        agreed, there = coordinator.agreed(), len(coordinator.present)
        figures = coordinator.final_evaluation()
        logger.info("%d of %d clients hold the final state %s", agreed, there, figures or "")
        self.monitor.event("farewell", agreed=agreed, there=there, **figures)

    def _status(self, stage: str) -> None:
        """Write what the server is doing, for whoever watches the folder."""
        self._wrote = self.clock()
        coordinator = self.run.coordinator
        open_ = coordinator.round
        said: dict[str, Any] = {
            "online": len(coordinator.online),
            "registered": len(coordinator.members.by_number),
            "stage": stage,
            "asked": len(open_.asked) if open_ else None,
            "in": len(open_.reported) if open_ else None,
            "deadline": round(open_.ends - self._wrote, 1) if open_ else None,
            "updated": time.time(),
        }
        fresh = self.run.folder / f"{STATUS}.new"
        try:
            fresh.write_text(json.dumps(said), encoding="utf-8")
            fresh.replace(self.run.folder / STATUS)
        except OSError as problem:
            logger.warning("no status written: %s", problem)
