"""A client's process on its disk. It dies at awkward moments; what its disk took, stays."""

import dataclasses
import hashlib

import numpy as np

from baffle.directions import ModelSignature, TensorSpec
from baffle.fleet import FleetClient, Guard, Identity, Kept, Replica
from baffle.protocol.exchange import client_tag
from baffle.protocol.exchange.signed import Pin
from baffle.updates import TrainState
from tests.fleet.chaos.signing import Doorkeeping
from tests.fleet.world import SIGNATURE, Backing

OTHER_MODEL = ModelSignature((TensorSpec("b", (3,)), TensorSpec("w", (2, 3))))
SICK = ("nan", "partly", "broken", "short", "crash")
WALLET_PLACES = ("before_wallet", "after_wallet")
PLACES = ("load", "make", "probe", "begin", "before_save", "after_save", "keep_key")


class Killed(BaseException):
    """The process is gone. No handler of errors may hold it up."""


class Disk:
    """A client's store, with what it held before."""

    def __init__(self, dies):
        self.kept, self.older, self._dies = {}, [], dies
        self.keys, self._runs = {}, set()
        self.wallets = {}  # never taken back from a copy: see docs/deploy.md

    def begin(self, genesis):
        self._dies("begin")
        self._runs.add(genesis.run)
        self.kept.pop(genesis.run, None)
        return Replica(genesis)

    def load(self, run):
        self._dies("load")
        return self.kept.get(run)

    def save(self, replica, kept, rows=()):
        self._dies("before_save")
        # The answer lives in the process only.
        entry = (replica, Kept(kept.data, kept.microseconds))
        self.kept[replica.genesis.run] = entry
        self.older = [*self.older[-7:], (replica.genesis.run, entry)]
        self._dies("after_save")

    def wallet(self, run):
        return self.wallets.get(run)

    def keep_wallet(self, run, wallet):
        self._dies("before_wallet")
        self.wallets[run] = wallet
        self._dies("after_wallet")

    def key(self, run):
        return self.keys.get(run)

    def keep_key(self, run, key):
        self._dies("keep_key")
        self.keys[run] = key

    def wipe(self):
        self.kept, self.older, self.keys, self._runs = {}, [], {}, set()
        self.wallets = {}


class Work:
    """A client's model and data, in health and in sickness."""

    def __init__(self, node):
        self._node, self._own = node, Backing(node.index, node.version)
        self.examples, self.fingerprint = self._own.examples, self._own.fingerprint

    @property
    def signature(self):
        return OTHER_MODEL if self._node.other_model else SIGNATURE

    def probe(self, weights, points, examples):
        self._node.dies("probe")
        losses = self._own.probe(weights, points, examples)
        match self._node.sick:
            case "nan":
                return np.full_like(losses, np.nan)
            case "partly":
                return np.where(np.arange(len(losses)) % 3 == 1, np.inf, losses)
            case "broken":
                return losses.astype(np.float32)
            case "short":
                return losses[:-1]
            case "crash":
                raise RuntimeError("out of memory")
        return losses

    def evaluate(self, weights):
        return None if self._node.sick else self._own.evaluate(weights)


class Recorded(FleetClient):
    """A client of which it is known what it put under its mask: plan to vector."""

    def _client(self, ask):
        client, copy = super()._client(ask)
        return Recording(client, self.__dict__.setdefault("vectors", {}), ask.plan), copy


class Recording:
    """Writes down what a client contributes to a plan's sum."""

    def __init__(self, client, vectors, plan):
        self._client, self._vectors, self._plan = client, vectors, plan

    def contribution(self, *args):
        found = self._client.contribution(*args)
        self._vectors[self._plan] = tuple(found.tolist())
        return found


class Node:
    """A machine with one client.

    Args:
        world: the simulation.
        index: which one.
        claim: the number that its operator gave it, or None.
        pinned: whether its operator gave it the server's key as well.
    """

    def __init__(self, world, index, claim, pinned=False):
        self.world, self.index, self.claim = world, index, claim
        self.address = 1000 + index
        self.online = False
        self.secret = self.own_secret = hashlib.sha256(b"secret" + bytes([index])).digest()
        self.version, self.sick, self.other_model = 0, "", False
        self.pinned = pinned
        self.process = self.guard = None
        self.disk = Disk(self.dies)
        self.said, self.answered = {}, 0
        self.spoilt = None  # (replica, which time): a copy whose memory changed by itself
        self._dies_at = None

    @property
    def tag(self):
        return client_tag(self.secret, self.world.genesis.run)

    @property
    def replica(self):
        return self.process and self.process._replica

    @property
    def health(self):
        """What a report depends on besides the plan and who makes it."""
        spoilt = self.spoilt[1] if self.spoilt and self.spoilt[0] is self.replica else 0
        return self.version, self.sick, spoilt

    def dies(self, place):
        if self._dies_at == place:
            self._dies_at = None
            self.world.count(f"node.kill_while.{place}")
            raise Killed(place)

    def die(self):
        self.process, self.said, self._dies_at = None, {}, None

    def start(self):
        secret = self.secret
        kind = Recorded if self.world.scenario.secure else FleetClient
        self.process = kind(
            Identity(lambda genesis: secret, self.claim),
            lambda genesis: self._made(),
            self.disk,
            self.world.stopwatch,
        )
        pin = Pin(self.world.signing.servers if self.pinned else None)
        self.guard = Guard(self.process, self.address, pin, self.disk)

    def _made(self):
        self.dies("make")
        return Work(self)

    def take(self, parts):
        """Return the answer to a message, None if the process died of it."""
        if self.world.happens("kill_before", "node.kill_before"):
            return self.die()
        if self.process is None:
            self.start()
        if self.world.happens("kill_while"):
            secure = WALLET_PLACES if self.world.scenario.secure else ()
            self._dies_at = self.world.rng.choice((*PLACES, *secure))
        door = Doorkeeping(self, parts)
        try:
            answer = self.guard.handle(parts)
        except Killed:
            return self.die()
        finally:
            self._look_at_key()
        self._dies_at = None
        door.check(answer)
        self.answered += 1
        self.world.truth.said(self, parts, answer)
        if self.world.happens("kill_after", "node.kill_after"):
            return self.die()
        return answer

    @property
    def taken_in(self):
        """Whether it trusts a stranger, who came before the server."""
        server = self.world.signing.servers
        return not self.pinned and self.disk.keys.get(self.world.genesis.run, server) != server

    def _look_at_key(self):
        if self.taken_in:
            self.world.notice(self)

    def pin(self):
        """Become a client whose operator saw that a stranger was first, and gave it the key."""
        if self.taken_in:
            self.die()
            self.pinned = True
            del self.disk.keys[self.world.genesis.run]

    # --- what befalls it

    def wipe(self, secret=None):
        self.die()
        self.disk.wipe()
        self.secret = secret or self.secret

    def revert(self):
        if not self.disk.older:
            return False
        self.die()
        run, entry = self.world.rng.choice(self.disk.older)
        self.disk.kept[run] = entry
        return True

    def corrupt(self):
        """Change one weight in memory, behind everybody's back."""
        copy = self.replica
        if copy is None or copy.state is None:
            return False
        slots = {s: dict(arrays) for s, arrays in copy.state.slots.items()}
        changed = slots["weights"]["w"].copy()
        changed[0, 0] += np.float32(0.5)
        slots["weights"]["w"] = changed
        state = TrainState(copy.state.round, slots, copy.state.updates)
        self.process._replica = dataclasses.replace(copy, state=state)
        self.spoilt = (self.process._replica, self.spoilt[1] + 1 if self.spoilt else 1)
        return True

    def recover(self):
        """Become what the operator set up: own secret and server, right model, sound losses."""
        self.pin()
        if self.secret != self.own_secret:
            self.wipe(self.own_secret)
        if self.sick or self.other_model:
            self.sick, self.other_model = "", False
            self.die()
        self.online = True
