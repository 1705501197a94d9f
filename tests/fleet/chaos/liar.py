"""Forged asks: what somebody on the way could send to a client in the server's name."""

import dataclasses
import hashlib

import numpy as np

from baffle.ledger import snapshot
from baffle.protocol import decode_outcome, decode_plan
from baffle.protocol.codec import encode_outcome, encode_plan
from baffle.protocol.exchange import Ask, SnapshotHeader, TailRow, decode_ask, encode_ask
from baffle.updates import TrainState
from tests.fleet.chaos import other_run


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
        kind = rng.choice([name for name in vars(Liar) if name.startswith("_as_")])
        address, parts = rng.choice(self.tape)
        forged = getattr(self, kind)(decode_ask(parts[0]), parts)
        if forged is None:
            return
        self._world.count(f"lied{kind[3:]}")
        self._world.network.down(address, forged)

    def _as_noise(self, ask, parts):
        data = self._world.rng.randbytes(self._world.rng.randrange(200))
        return (data if self._world.rng.random() < 0.5 else b"\x41\x01\x0f" + data,)

    def _as_nothing(self, ask, parts):
        return ()

    def _as_replay(self, ask, parts):
        return parts

    def _as_another_run(self, ask, parts):
        return self._world.rng.choice(other_run.messages(self._world.scenario.roster)[0])

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
        outcome = decode_outcome(row.outcome, decode_plan(row.plan).count)
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
