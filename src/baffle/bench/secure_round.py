"""One secure sum, played in memory: what each side computes is timed, nothing is sent.

Answers are functions of a wallet and an ask. So a round is played once, and afterwards either side
can be timed alone, as often as wanted, on what the other one said.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import process_time

import numpy as np
from numpy.typing import NDArray

from baffle import secagg
from baffle.errors import BaffleError
from baffle.secagg import Abandoned, Advert, Lanes, SecureSpec, SecureSum, Terms, Wallet
from baffle.secagg.keys import Own

STAGES = ("share", "mask", "unmask")
RUN = bytes(range(16))


class Differs(BaffleError):
    """A client's round, played again, went otherwise: something else would be timed."""


Answer = Callable[[str, int, bytes], bytes | None]


@dataclass(frozen=True)
class Group:
    """A group of clients and what they are to sum.

    Args:
        spec: what their sum must withstand.
        plan: bytes that masks are bound to.
        lanes: the vectors' form.
        vectors: int64 [n, lanes], a row a client; a client's number is its row.
        wallets: what each client has stored before the round.
        adverts: what each has said of itself.
    """

    spec: SecureSpec
    plan: bytes
    lanes: Lanes
    vectors: NDArray[np.int64]
    wallets: Sequence[bytes]
    adverts: Sequence[Advert]

    @staticmethod
    def of(spec: SecureSpec, plan: bytes, lanes: Lanes, vectors: NDArray[np.int64]) -> Group:
        """Return a group with new keys from the operating system."""
        wallets = [Wallet(secrets.token_bytes(32)) for _ in vectors]
        adverts = [secagg.advert(wallet, RUN, number) for number, wallet in enumerate(wallets)]
        return Group(spec, plan, lanes, vectors, [w.to_bytes() for w in wallets], adverts)


@dataclass(frozen=True)
class Ended:
    """What a server came to.

    Args:
        result: the sum, or why there is none.
        seconds: of processor time at the server.
        down, up: bytes of what was sent to and came from each client, by stage.
    """

    result: SecureSum | Abandoned
    seconds: float
    down: Mapping[str, Mapping[int, int]]
    up: Mapping[str, Mapping[int, int]]


@dataclass
class Recorded:
    """What was said in a round, by stage and client number.

    Args:
        stored: the wallet that each answer began with.
        asks, answers: the messages.
        seconds: of processor time at each client.
    """

    stored: dict[tuple[str, int], bytes] = field(default_factory=dict)
    asks: dict[tuple[str, int], bytes] = field(default_factory=dict)
    answers: dict[tuple[str, int], bytes] = field(default_factory=dict)
    seconds: dict[tuple[str, int], float] = field(default_factory=dict)

    def says(self, stage: str, number: int, ask: bytes) -> bytes | None:
        """Return what a client answered, if it did and was asked the same."""
        answer = self.answers.get((stage, number))
        return answer if self.asks.get((stage, number)) == ask else None


def serve(group: Group, answer: Answer) -> Ended:
    """Run the server's side of a sum; whatever `answer` computes is not counted as the server's."""
    terms = Terms(RUN, 0)
    going = secagg.secure_sum(terms, group.spec, group.adverts, lambda: (group.plan, group.lanes))
    down: dict[str, dict[int, int]] = {}
    up: dict[str, dict[int, int]] = {}
    answers: dict[int, bytes] | None = None
    seconds = 0.0
    while True:
        started = process_time()
        try:
            asks = next(going) if answers is None else going.send(answers)
        except StopIteration as end:
            return Ended(end.value, seconds + process_time() - started, down, up)
        seconds += process_time() - started
        said = {n: answer(asks.stage, n, ask) for n, ask in asks.to.items()}
        answers = {n: data for n, data in said.items() if data is not None}
        down[asks.stage] = {n: len(ask) for n, ask in asks.to.items()}
        up[asks.stage] = {n: len(data) for n, data in answers.items()}


def step(group: Group, number: int, stored: bytes, stage: str, ask: bytes) -> tuple[bytes, bytes]:
    """Return (what a client stores, its answer), from what it has stored and an ask."""
    wallet = Wallet.from_bytes(stored)
    if stage == "share":
        wallet, answer = secagg.share(wallet, RUN, number, group.spec, ask)
    elif stage == "mask":
        wallet, answer = secagg.mask(wallet, ask, group.plan, group.lanes, group.vectors[number])
    else:
        wallet, answer = secagg.unmask(wallet, ask)
    return wallet.to_bytes(), answer


def play(
    group: Group,
    gone: frozenset[int] = frozenset(),
    known: Recorded | None = None,
    before: Callable[[Group, int], None] = lambda group, number: None,
) -> tuple[Ended, Recorded]:
    """Play a whole round.

    Args:
        group: who takes part.
        gone: numbers of those whose masked vectors never come.
        known: an earlier round of the same group; what is in it is not computed again.
        before: called before a client's first answer, and not counted: `stranger`, `acquainted`.
            By default clients share what this process has cached, which no real ones do.
    """
    made = Recorded()
    now = dict(enumerate(group.wallets))

    def answer(stage: str, number: int, ask: bytes) -> bytes | None:
        if stage == "mask" and number in gone:
            return None
        key = stage, number
        made.stored[key], made.asks[key] = now[number], ask
        said = known.says(stage, number, ask) if known is not None else None
        if known is not None and said is not None:
            now[number] = known.stored.get((_next(stage), number), b"")
            made.answers[key] = said
            return said
        if stage == STAGES[0]:
            before(group, number)
        started = process_time()
        now[number], made.answers[key] = step(group, number, now[number], stage, ask)
        made.seconds[key] = process_time() - started
        return made.answers[key]

    return serve(group, answer), made


def _next(stage: str) -> str:
    return STAGES[(STAGES.index(stage) + 1) % len(STAGES)]


def stranger(group: Group, number: int) -> None:
    """Bring caches to where a new process has them."""
    forget()


def acquainted(group: Group, number: int) -> None:
    """Bring caches to where an earlier round has left them: own keys, members' static parts."""
    forget()
    secagg.advert(Wallet.from_bytes(group.wallets[number]), RUN, number)
    for other in group.adverts:
        other.verify(RUN)
    secagg.parameters(len(group.adverts), group.spec)


def forget() -> None:
    """Empty every cache of `baffle.secagg`, as in a new process."""
    modules = [m for name, m in sys.modules.items() if name.startswith("baffle.secagg.")]
    for value in (Own.of, *(value for module in modules for value in vars(module).values())):
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def plain_sum(group: Group, gone: frozenset[int] = frozenset()) -> NDArray[np.int64]:
    """Return what the sum of those who stayed must be."""
    stayed = [number for number in range(len(group.vectors)) if number not in gone]
    total: NDArray[np.int64] = group.vectors[stayed].sum(axis=0)
    return total


def is_exact(group: Group, ended: Ended, gone: frozenset[int] = frozenset()) -> bool:
    """Say whether a round came to the plain sum of those who stayed."""
    result = ended.result
    return isinstance(result, SecureSum) and bool(
        np.array_equal(result.values, plain_sum(group, gone))
    )
