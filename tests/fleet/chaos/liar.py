"""Forged asks: what somebody on the way could send to a client in the server's name.

Most are refused for want of the server's signature. Those under a stranger's key get further at a
client that trusts the first key of a run; in some seeds the server's own key is stolen.
"""

import dataclasses
import hashlib

import numpy as np

from baffle.ledger import snapshot
from baffle.protocol import decode_outcome, decode_plan
from baffle.protocol.codec import encode_outcome, encode_plan
from baffle.protocol.exchange import Ask, SnapshotHeader, TailRow, encode_ask
from baffle.protocol.exchange.signed import ENVELOPE_BYTES
from baffle.updates import TrainState
from tests.fleet.chaos import other_run
from tests.fleet.chaos.signing import ask_of

SIGNED = ("stranger", "overheard", "bare")


class Liar:
    """Whoever means ill to the clients. It overhears what the server sends.

    Args:
        world: the simulation.
    """

    def __init__(self, world):
        self._world = world
        self.tape = []  # (address, parts)

    def overhear(self, address, parts):
        self.tape.append((address, parts))
        del self.tape[:-60]

    def strike(self):
        if not self.tape:
            return
        rng = self._world.rng
        kind = rng.choice(kinds())
        address, parts = rng.choice(self.tape)
        strike = getattr(self, kind)
        if kind.startswith("_whole_"):
            sent = strike(address, parts)
        else:
            sent = self._signed(address, strike(ask_of(parts), _bare(parts)), parts[0])
        if sent is None:
            return
        self._world.count(label(kind))
        self._world.network.down(*sent)

    # --- messages as they are: (address, parts)

    def _whole_nothing(self, address, parts):
        return address, ()

    def _whole_replay(self, address, parts):
        return address, parts

    def _whole_for_another(self, address, parts):
        other, parts = self._world.rng.choice(self.tape)
        return (address, parts) if other != address else None

    def _whole_strangers(self, address, parts):
        return self._under(self._world.signing.stranger, address, _bare(parts))

    def _whole_stranger_who_is_first(self, address, parts):
        """The greeting of a client that has not heard from its server yet."""
        genesis = self._world.genesis
        new = [n for n in self._world.nodes if n.online and genesis.run not in n.disk.keys]
        if not new:
            return None
        ask = (encode_ask(Ask(genesis.run, 0, genesis=genesis.to_bytes())),)
        address = self._world.rng.choice(new).address
        return self._under(self._world.signing.stranger, address, ask)

    def _whole_another_run(self, address, parts):
        """An ask of another run, the server's or a stranger's own."""
        signing, rng = self._world.signing, self._world.rng
        parts = rng.choice(other_run.messages(self._world.scenario.roster)[0])
        return self._under(rng.choice((signing.server, signing.stranger)), address, parts)

    def _under(self, key, address, parts):
        return address, self._world.signing.sign(address, parts, key)

    # --- messages to be signed

    def _signed(self, address, forged, overheard):
        """Return (address, parts): a forged ask under what signature there is."""
        signing = self._world.signing
        if forged is None:
            return None
        match self._world.rng.choice(("stolen",) if self._world.scenario.stolen else SIGNED):
            case "stolen":
                return self._under(signing.server, address, forged)
            case "stranger":
                return self._under(signing.stranger, address, forged)
            case "overheard":
                forged = (overheard[:ENVELOPE_BYTES] + forged[0], *forged[1:])
        return address, forged

    def _as_noise(self, ask, parts):
        data = self._world.rng.randbytes(self._world.rng.randrange(200))
        return (data if self._world.rng.random() < 0.5 else b"\x41\x01\x0f" + data,)

    def _as_other_client(self, ask, parts):
        return (encode_ask(dataclasses.replace(ask, client=ask.client + 1)), *parts[1:])

    def _as_other_plan(self, ask, parts):
        if ask.plan is None:
            return None
        plan = decode_plan(ask.plan)
        changes = (
            {"step_exponent": plan.step_exponent + 1},
            {"radius_exponent": plan.radius_exponent - 1},
            {"key": plan.key ^ 1},
            {"round": plan.round + 1},
            {"digest": bytes(32)},
            {"scale_exponents": (1, 2, 3)},
        )
        other = dataclasses.replace(plan, **self._world.rng.choice(changes))
        return (encode_ask(dataclasses.replace(ask, plan=encode_plan(other))), *parts[1:])

    def _as_other_tail(self, ask, parts):
        if not ask.tail:
            return None
        row = ask.tail[-1]
        outcome = decode_outcome(row.outcome, decode_plan(row.plan).sums)
        if outcome.abandoned:
            return None
        other = encode_outcome(dataclasses.replace(outcome, values=outcome.values[::-1] + 1))
        tail = (*ask.tail[:-1], TailRow(row.plan, other))
        return (encode_ask(dataclasses.replace(ask, tail=tail)), *parts[1:])

    def _as_other_state(self, ask, parts):
        """A snapshot in good form, of weights that the server never had."""
        world = self._world
        truth = world.rng.choice(world.truth.states[-4:])
        shift = np.float32(world.rng.random())
        slots = {s: {n: a + shift for n, a in arrays.items()} for s, arrays in truth.slots.items()}
        data = snapshot.encode(TrainState(truth.round, slots, truth.updates))
        header = SnapshotHeader(truth.round, len(data), hashlib.sha256(data).digest(), 1)
        genesis = world.genesis.to_bytes()
        plan = ask.plan if world.rng.random() < 0.5 else None
        return encode_ask(Ask(ask.run, ask.client, genesis, header, (), plan)), data


def kinds():
    """Return the names of the ways to forge."""
    return [name for name in vars(Liar) if name.startswith(("_as_", "_whole_"))]


def label(kind):
    """Return what a way to forge is counted as."""
    return f"lied_{kind.split('_', 2)[2]}"


def _bare(parts):
    return (parts[0][ENVELOPE_BYTES:], *parts[1:])
