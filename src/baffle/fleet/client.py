"""A client of a fleet: an ask's bytes in, an answer's bytes out.

What it holds survives its process: see `store`. It raises nothing; what is wrong goes back to the
server by name, so that it can be set right or reported.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.directions import ModelSignature, Probe
from baffle.errors import (
    BaffleError,
    DataError,
    DecodeError,
    ModelError,
    ProbeError,
    Refused,
)
from baffle.fleet.demands import Demands
from baffle.fleet.masking import Masking
from baffle.fleet.replica import Replica
from baffle.fleet.store import Kept, Store
from baffle.protocol import Client, Genesis, decode_plan
from baffle.protocol.codec import decode_report
from baffle.protocol.contribution import Form
from baffle.protocol.exchange import (
    REASONS,
    Answer,
    Ask,
    Evaluation,
    Holding,
    Holds,
    Masked,
    Reported,
    Trouble,
    client_tag,
    decode_ask,
    encode_answer,
)
from baffle.protocol.exchange.reader import u32
from baffle.protocol.exchange.trouble import OF_PLANS
from baffle.updates.state import Slot

logger = logging.getLogger(__name__)


class Backing(Protocol):
    """What a client works with: its model and its data.

    Args:
        signature: of the model.
        probe: losses of the model on the data.
        examples: how many it trains on.
        fingerprint: hash of the data, so that a change is noticed.
    """

    @property
    def signature(self) -> ModelSignature: ...
    @property
    def probe(self) -> Probe: ...
    @property
    def examples(self) -> int: ...
    @property
    def fingerprint(self) -> bytes: ...

    def evaluate(self, weights: Slot) -> Evaluation | None:
        """Return what weights come to on held-out examples, None if there are none."""
        ...


@dataclass(frozen=True)
class Identity:
    """Who a client is.

    Args:
        secret: genesis to 32 bytes that only it knows.
        claim: the number that its operator gave it, or None.
    """

    secret: Callable[[Genesis], bytes]
    claim: int | None = None


class FleetClient:
    """One client, whatever carries its messages.

    Args:
        identity: who it is.
        make: genesis to model and data; called when a run begins, and after a restart.
        store: what survives its process.
        clock: seconds, for measuring how long a round takes to rebuild.
        demands: what its operator wants of a run.
    """

    def __init__(
        self,
        identity: Identity,
        make: Callable[[Genesis], Backing],
        store: Store,
        clock: Callable[[], float],
        demands: Demands | None = None,
    ) -> None:
        self._demands = demands or Demands()
        self.identity, self._make, self._store, self._clock = identity, make, store, clock
        self._replica: Replica | None = None
        self._backing: Backing | None = None
        self._kept = Kept()

    def handle(self, parts: Sequence[bytes]) -> bytes:
        """Answer an ask.

        Args:
            parts: the ask, and behind it a snapshot's chunks.

        Returns:
            an answer's bytes, whatever came and whatever went wrong.
        """
        return self.handle_ask(parts[0] if parts else b"", parts[1:])

    def handle_ask(self, data: bytes, chunks: Sequence[bytes]) -> bytes:
        """Answer an ask whose snapshot's chunks come beside it; else as `handle`."""
        run = self.run
        try:
            ask = decode_ask(data)
            run = ask.run
            return encode_answer(self._answer(ask, chunks), run)
        except Exception as problem:  # a client that dies of one ask answers no other
            return encode_answer(Trouble(_reason(problem), _sentence(problem), self._holding), run)

    @property
    def run(self) -> bytes:
        """The run that it holds, empty before it holds one."""
        return self._replica.genesis.run if self._replica else b""

    @property
    def done(self) -> bool:
        """Whether it holds the state after the run's last round."""
        replica = self._replica
        if replica is None or replica.state is None:
            return False
        rounds = replica.genesis.settings.get("rounds")
        return isinstance(rounds, int) and replica.state.round >= rounds

    @property
    def _holding(self) -> Holding | None:
        return self._replica.holding if self._replica else None

    def _answer(self, ask: Ask, chunks: Sequence[bytes]) -> Answer:
        self._catch_up(self._of_run(ask), ask, chunks)  # no name here keeps the state before
        if ask.plan is None:
            return self._opened(ask) if ask.sums else self._holds(ask)
        key = hashlib.sha256(bytes([ask.evaluate]) + u32(ask.client) + _asked(ask)).digest()
        if self._kept.answered == key and self._kept.answer is not None:
            return self._kept.answer
        answer = self._masked(ask, ask.plan) if ask.sums else self._report(ask, ask.plan)
        self._kept = dataclasses.replace(self._kept, answered=key, answer=answer)
        return answer

    # --- the run

    def _of_run(self, ask: Ask) -> Replica:
        """Return the copy of the ask's run: the one at hand, the stored one, or a new one."""
        if self._replica and self._replica.genesis.run == ask.run:
            return self._replica
        found = self._store.load(ask.run)
        if found is not None:
            self._demands.require(found[0].genesis)
        if found is None:
            if ask.genesis is None:
                raise Refused("run", f"expected the genesis of run {ask.run.hex()}, got none")
            genesis = Genesis.from_bytes(ask.genesis)
            if genesis.run != ask.run:
                raise DecodeError(f"an ask of run {ask.run.hex()} with the genesis of another")
            self._demands.require(genesis)
            found = self._store.begin(genesis), Kept()
        self._backing = None
        self._replica, self._kept = found
        return self._replica

    def _catch_up(self, replica: Replica, ask: Ask, chunks: Sequence[bytes]) -> None:
        started, before = self._clock(), replica.state
        after = replica.catch_up(ask, chunks)
        if after is replica:
            return
        self._replica = after
        rounds = after.state.round - before.round if after.state and before else 0
        if ask.snapshot is None and rounds > 0:
            took = round((self._clock() - started) * 1e6 / rounds)
            self._kept = dataclasses.replace(self._kept, microseconds=min(took, 2**32 - 1))
        self._store.save(after, self._kept, () if ask.snapshot else ask.tail)

    def _holds(self, ask: Ask) -> Holds:
        assert self._replica is not None
        self._replica = self._replica.hashed()
        tag, claim = self._tag, self.identity.claim
        self._ready()  # a model or data that do not fit are told when it joins, not rounds later
        return Holds(
            tag,
            claim,
            self._holding,
            self._kept.microseconds,
            self._evaluation() if ask.evaluate else None,
            self._masking.advert(ask.client if claim is None else claim),
        )

    @property
    def _tag(self) -> bytes:
        assert self._replica is not None
        genesis = self._replica.genesis
        return client_tag(self.identity.secret(genesis), genesis.run)

    # --- a round

    def _report(self, ask: Ask, plan: bytes) -> Reported:
        asked, group = decode_plan(plan), ask.group
        client, replica = self._client(ask)
        if replica.genesis.secure is not None:
            raise Refused("secure", "a report is asked for in the clear, in a run of secure sums")
        if group is None and asked.groups > 1:
            raise Refused("group", f"a plan of {asked.groups} groups, and no group was named")
        assert replica.state is not None
        report = client.answer(plan, replica.state, replica.digest, group or 0)
        if decode_report(report, asked).nonfinite == asked.count:
            raise Refused("nonfinite", "none of its losses was a finite number")
        answer = Reported(report, self._evaluation() if ask.evaluate else None)
        return answer.sealed(self._tag, plan)

    def _client(self, ask: Ask) -> tuple[Client, Replica]:
        replica, backing = self._replica, self._ready()
        assert replica is not None
        if replica.state is None:
            raise Refused("behind", "expected a state to begin from, got none")
        secret = self.identity.secret(replica.genesis)
        client = Client(
            ask.client, secret, ask.run, replica.rules, backing.probe, backing.examples
        )  # fmt: skip
        return client, replica

    @property
    def _masking(self) -> Masking:
        assert self._replica is not None
        return Masking(self._replica.genesis, self._store, self._demands)

    def _masked(self, ask: Ask, plan: bytes) -> Masked:
        """Return this client's vector of a round, masked."""
        client, copy = self._client(ask)

        def contribute(form: Form, group: int, secret: bytes) -> NDArray[np.int64]:
            assert copy.state is not None
            return client.contribution(form, copy.state, copy.digest, group, secret)

        answer, round_ = self._masking.masked(plan, ask.sums[0], contribute)
        evaluation = self._evaluation() if ask.evaluate else None
        found = Masked(ask.client, round_, (answer,), None, evaluation)
        return found.sealed(self._tag, ask.context)

    def _opened(self, ask: Ask) -> Masked:
        """Return what opens a round's sum, and shares for the next one's."""
        messages, refused, round_ = self._masking.answers(ask.client, ask.sums)
        found = Masked(ask.client, round_, tuple(messages), refused)
        return found.sealed(self._tag, ask.context)

    def _evaluation(self) -> Evaluation | None:
        if self._replica is None or self._replica.state is None:
            return None
        if self._replica.genesis.secure is not None:
            return None  # a single client's loss is no sum, whoever asks for it
        return self._ready().evaluate(self._replica.state.served)

    def _ready(self) -> Backing:
        """Return model and data, made on first use, and compared with what they were."""
        assert self._replica is not None
        if self._backing is None:
            genesis = self._replica.genesis
            backing = self._make(genesis)
            genesis.signature.require(backing.signature, "this client's model")
            if backing.examples < 1:
                raise DataError("this client has no data: expected at least one example, got none")
            self._compare(backing)
            self._backing = backing
        return self._backing

    def _compare(self, backing: Backing) -> None:
        """Tell once of data that changed since the last process, then go on with the new ones."""
        before, now = self._kept.data, backing.fingerprint
        if before == now:
            return
        self._kept = dataclasses.replace(self._kept, data=now, answered=b"", answer=None)
        if self._replica is not None:
            self._store.save(self._replica, self._kept)
        if before:
            self._backing = backing  # told once
            raise DataError(
                f"its data changed: {backing.examples} examples with the hash {now.hex()[:16]}…, "
                f"before {before.hex()[:16]}…; from now on it answers with the new ones"
            )


def _asked(ask: Ask) -> bytes:
    """Return what an answer depends on besides its client: plan, group, and secure sums."""
    group = b"" if ask.group is None else ask.group.to_bytes(2, "little")
    return (ask.plan or b"") + group + (ask.context if ask.sums else b"")


_REASONS = {DecodeError: "decode", ModelError: "model", DataError: "data", ProbeError: "probe"}


def _reason(problem: Exception) -> str:
    """Return the name of what went wrong, as the server counts it."""
    if isinstance(problem, Refused):
        named = OF_PLANS.get(problem.reason, problem.reason)
        return named if named in REASONS else "failed"
    found = (name for kind, name in _REASONS.items() if isinstance(problem, kind))
    return next(found, "failed")


def _sentence(problem: Exception) -> str:
    if isinstance(problem, BaffleError):
        return str(problem)
    # What someone else's code says may hold an example: that stays here.
    logger.error("an ask could not be answered", exc_info=problem)
    return f"its code failed with {type(problem).__name__}; its own log says why"
