"""A client's part in the secure sums of its run: keys, shares, masked vectors.

The wallet is stored before an answer leaves, and an answer whose wallet the disk would not take
does not leave: a client that forgot what it shared could be made to open a sum twice.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.aggregation import COUNTERS
from baffle.errors import ConfigError, DecodeError, ProtocolError, Refused
from baffle.fleet.demands import Demands
from baffle.fleet.store import Store
from baffle.protocol import Genesis, Plan, decode_plan
from baffle.protocol.contribution import Form, answer_secret
from baffle.protocol.exchange.trouble import REASONS, SECAGG
from baffle.secagg import (
    SecureSpec,
    Wallet,
    advert,
    encode_advert,
    mask,
    parameters,
    share,
    unmask,
)
from baffle.secagg.keys import Own
from baffle.secagg.masking import DoesNotOpen
from baffle.secagg.masks import SECRET_BYTES
from baffle.secagg.wallet import running
from baffle.secagg.wire import UNMASK_ASK

logger = logging.getLogger(__name__)
Contribute = Callable[[Form, int, bytes], NDArray[np.int64]]


@dataclass(frozen=True)
class Masking:
    """What a client does for the secure sums of a run.

    Args:
        genesis: of the run; what sums must withstand is taken from it alone.
        store: keeps the wallet.
        demands: of the operator.
    """

    genesis: Genesis
    store: Store
    demands: Demands

    @property
    def _spec(self) -> SecureSpec:
        if self.genesis.secure is None:
            raise Refused("secure", "shares are asked for, and this run has no secure sums")
        return self.genesis.secure

    def advert(self, number: int) -> bytes | None:
        """Return what the client says of its keys, None in a run without secure sums."""
        if self.genesis.secure is None:
            return None
        return encode_advert(advert(self._wallet(), self.genesis.run, number))

    def masked(self, plan: bytes, ask: bytes, contribute: Contribute) -> tuple[bytes, int]:
        """Return (answer to a mask ask, its round): a vector, or a complaint about a neighbour.

        Args:
            plan: beside the ask.
            ask: the message.
            contribute: (form, group, secret for this answer) to the vector.

        Raises:
            Refused: "secure" for a plan that is not of the round that was shared for. Two sums of
                one plan, of different clients, would tell apart who is in one of them only.
        """
        asked, wallet, spec = decode_plan(plan), self._wallet(), self._spec
        with _by_name():
            session = running(wallet)
        terms = session.terms
        if (asked.run, asked.round, asked.groups) != (terms.run, terms.round, terms.groups):
            raise Refused(
                "secure",
                f"secrets were shared for round {terms.round} in {terms.groups} groups, and the "
                f"plan is of round {asked.round} in {asked.groups}",
            )
        self._require_promised(asked)
        form = Form(asked, self.genesis.privacy, parameters(session.members, spec))
        secret = answer_secret(wallet.private, terms.run, terms.round, terms.group, plan + ask)
        vector = contribute(form, terms.group, secret)
        _require_finite(form, vector)
        try:
            with _by_name():
                after, answer = mask(wallet, ask, plan, form.lanes, vector)
        except DoesNotOpen as no:
            logger.warning("no part in round %d: %s", terms.round, no)
            return no.complaint, terms.round
        self._keep(wallet, after)
        return answer, terms.round

    def _require_promised(self, plan: Plan) -> None:
        """Raise Refused for a plan that the run's privacy promise does not cover."""
        try:
            if self.genesis.privacy is not None:
                self.genesis.privacy.require_steps(plan.num_local_steps)
        except ConfigError as no:
            raise Refused("secure", str(no)) from None

    def answers(self, number: int, asks: tuple[bytes, ...]) -> tuple[list[bytes], str | None, int]:
        """Return (answers to unmask and share asks, why one of them was refused, the last's round).

        Raises:
            Refused, DecodeError: none of them can be answered.
        """
        before = wallet = self._wallet()
        found: list[bytes] = []
        problems: list[ProtocolError] = []
        for ask in asks:
            try:
                with _by_name():
                    wallet, answer = self._one(wallet, number, ask)
                found.append(answer)
            except ProtocolError as problem:
                logger.warning("a secure sum's message was refused: %s", problem)
                problems.append(problem)
        if not found:
            raise problems[0]
        self._keep(before, wallet)
        refused = getattr(problems[0], "reason", "decode") if problems else None
        return found, refused, running(wallet).terms.round

    def _one(self, wallet: Wallet, number: int, ask: bytes) -> tuple[Wallet, bytes]:
        spec = self._spec
        if ask[0] == UNMASK_ASK:
            return unmask(wallet, ask)
        return share(wallet, self.genesis.run, number, spec, ask, self.demands.known)

    def _wallet(self) -> Wallet:
        """Return the run's wallet; one that is lost or damaged is made anew, with new keys."""
        run = self.genesis.run
        data = self.store.wallet(run)
        if data is not None:
            try:
                return Wallet.from_bytes(data)
            except DecodeError as problem:
                logger.warning("new keys for secure sums, since the wallet is damaged: %s", problem)
        fresh = Wallet(secrets.token_bytes(SECRET_BYTES))
        self.store.keep_wallet(run, fresh.to_bytes())
        identity = Own.of(fresh.private, run, 0).identity
        logger.info("this client's identity in run %s is %s", run.hex(), identity.hex())
        return fresh

    def _keep(self, before: Wallet, after: Wallet) -> None:
        if after is not before:
            self.store.keep_wallet(self.genesis.run, after.to_bytes())


@contextmanager
def _by_name() -> Iterator[None]:
    """Give what a secure sum refuses the names that travel."""
    try:
        yield
    except DoesNotOpen:  # travels as a complaint
        raise
    except Refused as no:
        known = no.reason if no.reason in REASONS else "secure"
        raise Refused(SECAGG.get(no.reason, known), str(no)) from no


def _require_finite(form: Form, vector: NDArray[np.int64]) -> None:
    """Raise Refused if none of a client's losses was finite, where that is not kept secret."""
    counted = dict(zip(COUNTERS, form.part(vector, 1).counters, strict=True))
    if counted["nonfinite"] == form.plan.count:
        raise Refused("nonfinite", "none of its losses was a finite number")
