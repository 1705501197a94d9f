"""A whole state from the network: `downlink.joined` and `snapshot.decode` by `Replica.catch_up`."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from baffle.fleet.replica import Replica
from baffle.ledger import snapshot
from baffle.protocol.exchange import Ask, SnapshotHeader
from baffle.updates import TrainState
from tools.fuzz import texts
from tools.fuzz.draws import EDGES, Draws
from tools.fuzz.history import History, make
from tools.fuzz.mutations import Sample, mutated
from tools.fuzz.target import HONEST, Case, Target, differing

RUNS, ROUNDS = 12, 2
LARGE = (256, 128)

Parcel = tuple[SnapshotHeader, list[bytes]]


def parcel(data: bytes, round: int, draws: Draws) -> Parcel:
    """Return a snapshot cut into chunks of any length, and the header that describes them."""
    cuts = sorted({draws.below(len(data) + 1) for _ in range(draws.below(5))} - {0, len(data)})
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return SnapshotHeader(round, len(data), hashlib.sha256(data).digest(), len(chunks)), chunks


class Snapshots(Target):
    """`Replica.catch_up` with a snapshot."""

    name = "snapshot"
    slope = 24  # the chunks together, and the state that the run's form is read off
    constant = 1 << 16

    def prepare(self, draws: Draws) -> None:
        """Make a few runs, and one of a larger model."""
        self.runs = [make(draws, ROUNDS) for _ in range(RUNS)]
        self.big = [make(draws, 0, LARGE)]
        every = [(run, state) for run in (*self.runs, *self.big) for state in run.states]
        self.encoded = {run.digests[s.round]: snapshot.encode(s) for run, s in every}
        self.empty = {run.genesis.run: Replica(run.genesis) for run, _ in every}
        self.pool = [Sample(data, ((0, 8),), 12) for data in self.encoded.values()]

    def draw(self, draws: Draws, large: bool) -> Case:
        """Return a header with chunks, and whose copy takes them."""
        run = draws.pick(self.big if large else self.runs)
        state = draws.pick(run.states)
        good = self.encoded[run.digests[state.round]]
        header, chunks = parcel(good, state.round, draws)
        honest, way = draws.chance(HONEST), draws.below(8)
        if not honest and way < 3:
            header, chunks = self._damaged(draws, header, chunks)
        elif not honest:  # by an attacker who makes the header fit
            header, chunks = parcel(self._forged(draws, good, state, way), header.round, draws)
        return Case((header, chunks), honest, (run, good), sum(map(len, chunks)))

    def _damaged(self, draws: Draws, header: SnapshotHeader, chunks: list[bytes]) -> Parcel:
        at = draws.below(len(chunks))
        match draws.below(6):
            case 0:
                chunks[at] = mutated(draws, Sample(chunks[at]), self.pool)
            case 1:
                chunks.insert(draws.below(len(chunks) + 1), draws.pick((b"", chunks[at])))
            case 2:
                del chunks[at]
            case 3:
                chunks.reverse()
            case 4:
                changed: dict[str, Any] = {
                    draws.pick(("round", "size", "chunks")): draws.pick(EDGES)
                }
                header = dataclasses.replace(header, **changed)
            case _:
                header = dataclasses.replace(header, sha256=draws.bytes(32))
        return header, chunks

    def _forged(self, draws: Draws, good: bytes, state: TrainState, way: int) -> bytes:
        if way < 5:
            return mutated(draws, Sample(good, ((0, 8),), 12), self.pool)
        end = 8 + int.from_bytes(good[:8], "little")
        if way < 7:
            text = texts.encoded(draws, texts.attacked(draws, good[8:end].decode()))
            return len(text).to_bytes(8, "little") + text + good[end:]
        counts = (draws.bits(32), draws.bits(62)) if draws.chance(2) else (state.round, 2**63 - 1)
        return snapshot.encode(TrainState(counts[0], state.slots, counts[1]))

    def decode(self, case: Case) -> Replica:
        """Call it."""
        (header, chunks), (run, _) = case.data, case.about
        ask = Ask(run.genesis.run, 0, snapshot=header)
        return self.empty[run.genesis.run].catch_up(ask, chunks)

    def wrong(self, case: Case, value: Replica) -> str | None:
        """Check hash, encoding, digest and form."""
        header, chunks = case.data
        history: tuple[History, Any] = case.about
        state, data = value.state, b"".join(chunks)
        assert state is not None
        like = history[0].states[0]
        return differing(
            {
                "hash": hashlib.sha256(data).digest() == header.sha256,
                "header": (len(data), len(chunks)) == (header.size, header.chunks),
                "encoding": snapshot.encode(state) == data,
                "digest": state.digest() == value.digest,
                "round": state.round == header.round,
                "changed": not case.honest or data == history[1],
                "form": {k: dict.fromkeys(v) for k, v in state.slots.items()}
                == {k: dict.fromkeys(v) for k, v in like.slots.items()},
            }
        )
