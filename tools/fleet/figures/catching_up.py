"""One client that lacks something, brought up to date by rounds and by a state."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from baffle.drivers.fleet.run import FleetRun
from baffle.fleet import Costs, Downlink, Guard, Member
from baffle.fleet.downlink import CatchUp
from baffle.ledger.replay import replay
from baffle.protocol.exchange import Ask, Holding, Holds, decode_answer, encode_ask
from baffle.protocol.exchange.signed import sign_ask
from tools.fleet.figures.loopback import client
from tools.fleet.figures.subjects import Subject
from tools.fleet.figures.writing import Row

T = TypeVar("T")
REPEATS = 3
LONG_SECONDS = 3.0  # of one repeat, after which there is no other
NODE = 102
WAYS = ("rounds", "snapshot")


@dataclass(frozen=True)
class Away:
    """A client that comes.

    Args:
        subject: its model and data.
        number: in the roster.
        folder: as it was when it went; missing if it never was there.
        rounds: that it missed; None for all.
    """

    subject: Subject
    number: int
    folder: Path
    rounds: int | None


def copied(source: Path, target: Path) -> None:
    """Copy a client's folder, over what is there."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target)


def both_ways(run: FleetRun, away: Away, scratch: Path) -> Row:
    """Return bytes and seconds of both ways to the state that the run's server holds.

    Args:
        run: stopped; nothing in it changes.
        away: who comes.
        scratch: folder to work in.

    Returns:
        `away`, rounds missed, None for a client that never was there; `chosen` by the server;
        `ways`, each with `bytes`, and seconds: processor time at the `server` and at the `client`,
        which other load on the machine does not change, and bytes over the fleet's
        bytes_per_second on the `wire`, together `total`; `elapsed` by the clock at both; medians.
        `ratio` of the other way's total to the chosen one's.
    """
    found: dict[str, list[Row]] = {way: [] for way in WAYS}
    for repeat in range(REPEATS):
        for way in WAYS:
            if not repeat or found[way][0]["elapsed"] < LONG_SECONDS:
                found[way].append(_once(run, away, scratch, way))
    ways = {
        way: {name: statistics.median(row[name] for row in rows) for name in rows[0]}
        for way, rows in found.items()
    }
    chosen = _chosen(run, away, scratch)
    other = WAYS[1 - WAYS.index(chosen)]
    ratio = ways[other]["total"] / ways[chosen]["total"]
    return {"away": away.rounds, "chosen": chosen, "ways": ways, "ratio": ratio}


def _once(run: FleetRun, away: Away, scratch: Path, way: str) -> Row:
    """Return what one exchange takes; raises AssertionError if the client is not equal after it."""
    guard, holds = _came(run, away, scratch)
    started = time.perf_counter()
    parts, server = _timed(lambda: _message(run, away, _lacking(run, holds.holding, way)))
    answer, at_client = _timed(lambda: guard.handle(parts))
    elapsed = time.perf_counter() - started
    state = run.coordinator.server
    after = decode_answer(answer, run.coordinator.genesis.run)
    assert isinstance(after, Holds), after
    assert after.holding == Holding(state.state.round, state.digest), after.holding
    size = sum(map(len, parts))
    wire = size / run.fleet.bytes_per_second
    seconds = {"server": server, "wire": wire, "client": at_client}
    return {"bytes": size, **seconds, "total": sum(seconds.values()), "elapsed": elapsed}


def _came(run: FleetRun, away: Away, scratch: Path) -> tuple[Guard, Holds]:
    """Return a client with a copy of its folder, greeted, and what it said that it holds."""
    copied(away.folder, scratch)
    guard = client(scratch, NODE, away.number, away.subject)
    spec = run.coordinator.genesis
    ask = encode_ask(Ask(spec.run, 0, genesis=spec.to_bytes()))
    answer = decode_answer(guard.handle([sign_ask(ask, NODE, run.key)]), spec.run)
    assert isinstance(answer, Holds), answer
    round_ = run.coordinator.server.state.round
    held = None if away.rounds is None else round_ - away.rounds
    assert (answer.holding and answer.holding.round) == held, answer.holding
    return guard, answer


def _chosen(run: FleetRun, away: Away, scratch: Path) -> str:
    """Return the server's own choice for what the client says of itself."""
    _, holds = _came(run, away, scratch)
    member = Member(away.number, holds.tag, NODE, holds.holding, holds.microseconds * 1e-6)
    costs = Costs(run.fleet.bytes_per_second, run.coordinator.asking.rebuild_seconds)
    server, own = run.coordinator.server, Downlink(run.ledger, run.coordinator.genesis.initial)
    found = own.catch_up(member, server.state, server.digest, costs)
    return "rounds" if found.snapshot is None else "snapshot"


def _lacking(run: FleetRun, holding: Holding | None, way: str) -> CatchUp:
    """Return what brings a client up to date in a way; who holds nothing begins with the start."""
    server, own = run.coordinator.server, Downlink(run.ledger, run.coordinator.genesis.initial)
    if way == "snapshot":
        return own.whole(server.state, server.digest)
    since = holding.round if holding else 0
    rows = own.rows(since, server.state.round)
    if holding:
        return CatchUp(None, (), rows)
    start = own.whole(replay(run.ledger, 0).state, run.coordinator.genesis.initial)
    return CatchUp(start.snapshot, start.chunks, rows)


def _message(run: FleetRun, away: Away, lacking: CatchUp) -> list[bytes]:
    spec = run.coordinator.genesis
    genesis = spec.to_bytes() if lacking.snapshot else None  # as the coordinator does
    ask = encode_ask(
        Ask(spec.run, away.number, genesis, snapshot=lacking.snapshot, tail=lacking.tail)
    )
    return [sign_ask(ask, NODE, run.key), *lacking.chunks]


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    started = time.process_time()
    found = action()
    return found, time.process_time() - started
