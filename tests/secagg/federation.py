"""A group of clients in memory, and ways to lose or change what they send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from baffle.errors import ProtocolError
from baffle.secagg import (
    Abandoned,
    Advert,
    Asks,
    Block,
    Lanes,
    SecureSpec,
    SecureSum,
    Terms,
    Wallet,
    advert,
    mask,
    secure_sum,
    share,
    unmask,
)
from baffle.secagg.masking import DoesNotOpen

RUN = bytes(range(16))
PLAN = b"plan of the round"
SPEC = SecureSpec(min_group=2)
LANES = Lanes((Block(5, 127), Block(2, 1000)))
Change = Callable[[str, int, bytes], bytes | None]


def wallet_of(client: int, seed: int = 0) -> Wallet:
    """Return a wallet whose private bytes are a function of two numbers."""
    return Wallet(np.random.default_rng([seed, client]).bytes(32))


def vectors(clients: int, lanes: Lanes = LANES, seed: int = 0) -> dict[int, np.ndarray]:
    """Return random vectors that reach their bounds."""
    rng = np.random.default_rng([seed, 77])
    return {
        c: np.concatenate([rng.integers(-b.bound, b.bound + 1, b.count) for b in lanes.blocks])
        for c in range(clients)
    }


@dataclass
class Group:
    """Clients 0 … n - 1 and what they have been asked and answered.

    Args:
        clients: n.
        seed: of private bytes and vectors.
    """

    clients: int
    seed: int = 0
    spec: SecureSpec = SPEC
    lanes: Lanes = LANES
    round: int = 3
    wallets: dict[int, Wallet] = field(default_factory=dict)
    values: dict[int, np.ndarray] = field(default_factory=dict)
    asked: dict[tuple[str, int], bytes] = field(default_factory=dict)
    answered: dict[tuple[str, int], bytes] = field(default_factory=dict)
    refused: dict[int, ProtocolError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for client in range(self.clients):
            self.wallets.setdefault(client, wallet_of(client, self.seed))
        self.values = self.values or vectors(self.clients, self.lanes, self.seed)

    def adverts(self) -> list[Advert]:
        """Return what the clients say of themselves."""
        return [advert(self.wallets[client], RUN, client) for client in range(self.clients)]

    def answer(self, stage: str, client: int, ask: bytes) -> bytes:
        """Let one client answer, and keep its wallet."""
        wallet = self.wallets[client]
        if stage == "share":
            after, answer = share(wallet, RUN, client, self.spec, ask)
        elif stage == "mask":
            after, answer = mask(wallet, ask, PLAN, self.lanes, self.values[client])
        else:
            after, answer = unmask(wallet, ask)
        self.wallets[client] = after
        return answer

    def answers(self, asks: Asks, drops: Mapping[str, set[int]], change: Change) -> dict:
        """Return what comes back: without who is gone, who refuses, and what is lost."""
        found = {}
        for client, ask in asks.to.items():
            self.asked[asks.stage, client] = ask
            if client in drops.get(asks.stage, ()):
                continue
            try:
                answer = self.answer(asks.stage, client, ask)
            except DoesNotOpen as problem:
                self.refused[client], answer = problem, problem.complaint
            except ProtocolError as problem:
                self.refused[client] = problem
                continue
            self.answered[asks.stage, client] = answer
            changed = change(asks.stage, client, answer)
            if changed is not None:
                found[client] = changed
        return found

    def run(
        self, drops: Mapping[str, set[int]] | None = None,
        change: Change = lambda stage, client, answer: answer,
    ) -> SecureSum | Abandoned:  # fmt: skip
        """Play one sum.

        Args:
            drops: by stage, who does not answer.
            change: what becomes of an answer on its way; None is lost.
        """
        going = secure_sum(
            Terms(RUN, self.round), self.spec, self.adverts(), lambda: (PLAN, self.lanes)
        )
        answers = None
        while True:
            try:
                asks = going.send(answers)
            except StopIteration as end:
                return end.value
            answers = self.answers(asks, drops or {}, change)

    def plain(self, clients) -> np.ndarray:
        """Return the plain sum."""
        return sum(self.values[client] for client in clients)

    def until(self, stage: str) -> Asks:
        """Play a sum until the asks of a stage are out, and return these."""
        going = secure_sum(
            Terms(RUN, self.round), self.spec, self.adverts(), lambda: (PLAN, self.lanes)
        )
        asks = next(going)
        while asks.stage != stage:
            asks = going.send(self.answers(asks, {}, lambda stage, client, answer: answer))
        return asks
