"""Secure sums in one process: every message between clients and server, or only what they come to.

Each simulated client has 32 private bytes from the operating system, never from the run key: masks
cancel, so a run repeats all the same, but for its privacy noise.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.aggregation import Part, nothing
from baffle.cohort import chance
from baffle.drivers.local.answers import Answers
from baffle.drivers.local.clear import Asked
from baffle.drivers.local.roster import Roster
from baffle.drivers.local.traffic import Traffic
from baffle.errors import Refused
from baffle.privacy import PrivacySpec
from baffle.protocol import Plan, Report, Server, decode_plan, decode_report
from baffle.protocol.contribution import Form, answer_secret
from baffle.protocol.steps import evaluations
from baffle.secagg import (
    Advert,
    SecureSpec,
    SecureSum,
    Terms,
    Wallet,
    advert,
    mask,
    parameters,
    secure_sum,
    share,
    unmask,
)
from baffle.secagg.outcome import MASK, SHARE, UNMASK

VANISHING = 4  # which simulated fault: the stage at which a client that never answers is lost
STAGES = (SHARE, MASK, UNMASK)


@dataclass(frozen=True)
class Opened:
    """What a group's sum came to: int64 [lanes], or None if it is no use, and whose it is."""

    values: NDArray[np.int64] | None
    clients: tuple[int, ...]


@dataclass
class SecureSums:
    """Collects a round's reports as secure sums.

    Args:
        answers: how reports are computed.
        roster: the clients.
        spec: what sums must withstand.
        privacy: what is promised of them; None for no noise.
        whole: whether every message is made; else only the sum.
        traffic: byte counts.
    """

    answers: Answers
    roster: Roster
    spec: SecureSpec
    privacy: PrivacySpec | None
    whole: bool
    traffic: Traffic
    _wallets: dict[int, Wallet] = field(default_factory=dict)
    _adverts: dict[int, Advert] = field(default_factory=dict)

    def collect(self, server: Server, asked: Asked) -> int:
        """Sum up each group and hand the server what comes of it; returns example evaluations."""
        plan, evaluations = decode_plan(asked.plan), 0
        for group, members in enumerate(asked.groups.members):
            sum_ = _GroupSum(self, plan, asked, group, members)
            found = sum_.by_messages() if self.whole else sum_.outright()
            evaluations += sum_.evaluations
            if found is not None:
                # Also of no use it was opened: its clients' privacy is spent.
                server.receive_sum(group, _part(server, sum_.form, found), found.clients)
        return evaluations

    def recall(self, plan: Plan, asked: Asked) -> int:
        """Count a stored round's evaluations; returns example evaluations.

        With examples drawn in secret that is what is expected of them.
        """
        evaluations = 0
        for group, members in enumerate(asked.groups.members):
            found = _GroupSum(self, plan, asked, group, members)
            evaluations += sum(self.answers.evaluations(plan, n) for n in found.computing)
        return evaluations

    def wallet(self, number: int) -> Wallet:
        """Return what a client keeps, made when it is first asked."""
        return self._wallets.setdefault(number, Wallet(secrets.token_bytes(32)))

    def advert(self, number: int) -> Advert:
        """Return the keys that a client advertised last."""
        if number not in self._adverts:
            self._adverts[number] = advert(self.wallet(number), self.roster.run, number)
        return self._adverts[number]

    def keep(self, number: int, wallet: Wallet) -> None:
        """Keep what a client keeps."""
        self._wallets[number] = wallet

    def learn(self, adverts: Mapping[int, Advert]) -> None:
        """Take note of clients' next keys."""
        self._adverts.update(adverts)


def _part(server: Server, form: Form, found: Opened) -> Part:
    """Return what an opened sum means; nothing where no honest clients can have it."""
    if found.values is not None:
        try:
            return form.part(found.values, len(found.clients))
        except Refused as no:
            server.refuse(no.reason)
    return nothing(form.plan.count)


class _GroupSum:
    """One group's sum in one round."""

    def __init__(
        self, sums: SecureSums, plan: Plan, asked: Asked, group: int, members: tuple[int, ...]
    ) -> None:
        self._sums, self._plan, self._asked, self._group = sums, plan, asked, group
        self._members = members
        self.form = Form(plan, sums.privacy, parameters(len(members), sums.spec))
        self._lost = self._stages()
        self.evaluations = 0

    def _stages(self) -> dict[int, str]:
        """Return at which stage each client falls silent that does: a late report is no report."""
        late = dict.fromkeys(set(self._asked.late) & set(self._members), MASK)
        silent = sorted(set(self._members) - set(self._asked.on_time) - late.keys())
        key, round_ = self._plan.key, self._plan.round
        share_of = chance(key, round_, VANISHING, np.array(silent, dtype=np.int64))
        stages = (share_of * len(STAGES)).astype(int).tolist()
        return late | {n: STAGES[stage] for n, stage in zip(silent, stages, strict=True)}

    @property
    def computing(self) -> list[int]:
        """Return the clients that evaluate losses: late ones do, those gone before do not."""
        late = set(self._asked.late)
        gone = {n for n, stage in self._lost.items() if stage != UNMASK and n not in late}
        return [n for n in self._members if n not in gone]

    # --- the vectors

    def _bare(self, numbers: list[int]) -> dict[int, NDArray[np.int64]]:
        """Return what clients add before noise, where a report tells it.

        With privacy also one without a finite loss answers: whether it does tells of its data.
        """
        asked = self._asked
        reports: dict[int, Report] = {}
        answers = self._sums.answers.collect(
            asked.plan, asked.state, asked.digest, numbers, self._group
        )
        for number, answer in zip(numbers, answers, strict=True):
            self.evaluations += answer.example_evaluations
            report = decode_report(answer.report, self._plan)
            if self._sums.privacy is None and report.nonfinite == self._plan.count:
                self._lost[number] = MASK  # it has nothing to say, as in the clear
            else:
                reports[number] = report
        if not reports:
            return {}
        return dict(zip(reports, self.form.vectors(list(reports.values())), strict=True))

    @property
    def _by_example(self) -> bool:
        return self._sums.privacy is not None and self._sums.privacy.unit == "example"

    def _of_examples(self, number: int, secret: bytes) -> NDArray[np.int64]:
        asked, client = self._asked, self._sums.roster.client(number)
        self.evaluations += evaluations(self._plan, client.examples)
        return client.contribution(self.form, asked.state, asked.digest, self._group, secret)

    # --- the sum

    def outright(self) -> Opened | None:
        """Return what the messages would come to, without them."""
        computing = self.computing
        if self._by_example:
            vectors = {n: self._of_examples(n, secrets.token_bytes(32)) for n in computing}
        else:
            vectors = self._bare(computing)
        summed = [n for n in computing if self._lost.get(n, UNMASK) == UNMASK]
        here = len([n for n in summed if n not in self._lost])
        for _ in summed:
            self._sums.traffic.report(self.form.lanes.size(len(self._members)))
        least = self.form.group.least
        if len(summed) < least or here < self.form.group.threshold + 1:
            return None
        total = np.sum([vectors[n] for n in summed], axis=0)
        if not self._by_example:
            total = self.form.noised_sum(total, len(summed), secrets.token_bytes(32))
        return Opened(total, tuple(summed))

    def by_messages(self) -> Opened | None:
        """Return what comes of every message's being made, carried and answered."""
        sums, plan = self._sums, self._plan
        terms = Terms(sums.roster.run, plan.round, self._group, plan.groups)
        adverts = [sums.advert(n) for n in self._members]
        running = secure_sum(terms, sums.spec, adverts, lambda: (self._asked.plan, self.form.lanes))
        try:
            asks = next(running)
            while True:
                sums.learn(asks.adverts)
                sums.traffic.down += sum(map(len, asks.to.values()))
                answers = self._answered(asks.stage, asks.to)
                for answer in answers.values():
                    sums.traffic.report(len(answer))
                asks = running.send(answers)
        except StopIteration as done:
            found: Any = done.value
        sums.learn(found.adverts)
        if isinstance(found, SecureSum):
            return Opened(found.values, found.participants)
        return Opened(None, found.opened) if found.opened else None

    def _answered(self, stage: str, asks: Mapping[int, bytes]) -> dict[int, bytes]:
        there = [n for n in asks if STAGES.index(self._lost.get(n, UNMASK)) >= STAGES.index(stage)]
        there = [n for n in there if self._lost.get(n) != stage]
        if stage == SHARE:
            return {n: self._share(n, asks[n]) for n in there}
        if stage == UNMASK:
            return {n: self._unmask(n, asks[n]) for n in there}
        if self._by_example:
            return {n: self._mask(n, asks[n], None) for n in there}
        late = [n for n in asks if n in self._asked.late]
        bare = self._bare(sorted([*there, *late]))
        return {n: self._mask(n, asks[n], bare[n]) for n in there if n in bare}

    def _share(self, number: int, ask: bytes) -> bytes:
        sums = self._sums
        wallet, answer = share(sums.wallet(number), sums.roster.run, number, sums.spec, ask)
        sums.keep(number, wallet)
        return answer

    def _mask(self, number: int, ask: bytes, bare: NDArray[np.int64] | None) -> bytes:
        sums, plan = self._sums, self._asked.plan
        wallet = sums.wallet(number)
        secret = answer_secret(
            wallet.private, sums.roster.run, self._plan.round, self._group, plan + ask
        )
        if bare is None:
            vector = self._of_examples(number, secret)
        else:
            vector = self.form.noised(bare, secret)
        wallet, answer = mask(wallet, ask, plan, self.form.lanes, vector)
        sums.keep(number, wallet)
        return answer

    def _unmask(self, number: int, ask: bytes) -> bytes:
        wallet, answer = unmask(self._sums.wallet(number), ask)
        self._sums.keep(number, wallet)
        return answer
