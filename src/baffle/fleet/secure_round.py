"""A round's secure sums at the server: a generator a group, all of them at the same stage.

    SHARE ──▶ MASK ──▶ UNMASK ──▶ DONE

Here it is known who is awaited and when a stage is over; what is sent, whoever owns this says.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from baffle.cohort import Groups
from baffle.protocol import Genesis, decode_plan
from baffle.protocol.contribution import Form
from baffle.secagg import (
    Abandoned,
    Advert,
    Asks,
    Lanes,
    SecureSum,
    Terms,
    parameters,
    secure_sum,
)
from baffle.secagg.outcome import MASK, SHARE, UNMASK
from baffle.secagg.wire import COMPLAINT

DONE = "done"
Running = Generator[Asks, Mapping[int, bytes], SecureSum | Abandoned]


@dataclass
class Progress:
    """The stage that a round's sums are at.

    Args:
        name: of the stage.
        began, ends: seconds.
        asks: by client number, what is asked of it.
        answers: what came.
        complaints: what came instead of an answer; who complains has none to give.
        lost: clients that will not answer, with the reason.
        mended, reminded: clients that were asked again, as in `OpenRound`.
    """

    name: str
    began: float
    ends: float
    asks: dict[int, bytes] = field(default_factory=dict)
    answers: dict[int, bytes] = field(default_factory=dict)
    complaints: dict[int, bytes] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)
    mended: set[int] = field(default_factory=set)
    reminded: set[int] = field(default_factory=set)

    def awaited(self) -> set[int]:
        """Return the clients that may still answer."""
        return self.asks.keys() - self.answers.keys() - self.lost.keys()


class SecureRound:
    """The secure sums of one round.

    Args:
        number: of the round.
        groups: who is in which.
        adverts: of all who are, by client number.
        genesis: of the run.
        now: seconds.
        seconds: until the end of the first stage.
    """

    def __init__(
        self,
        number: int,
        groups: Groups,
        adverts: Mapping[int, Advert],
        genesis: Genesis,
        now: float,
        seconds: float,
    ) -> None:
        assert genesis.secure is not None
        self.number, self.groups, self.began = number, groups, now
        self._genesis, self._spec = genesis, genesis.secure
        self.plan: bytes | None = None  # of this round; known once the round before is closed
        self.results: dict[int, SecureSum | Abandoned] = {}
        self.next: dict[int, Advert] = {}  # keys that clients have for the round after this
        self.refused: list[tuple[int, str, str]] = []  # (client, reason, sentence), to be told
        self.accused: dict[int, tuple[str, str]] = {}  # (reason, sentence) of who lied
        self.lost: dict[int, str] = {}  # in any stage
        self.missing = 0
        self.stage = Progress(SHARE, now, now + seconds)
        self._sums: dict[int, Running] = {}
        for group, members in enumerate(groups.members):
            terms = Terms(genesis.run, number, group, len(groups))
            own = [adverts[n] for n in members]
            self._sums[group] = secure_sum(terms, self._spec, own, self._planned(len(members)))
            self._step(group, None)

    @property
    def members(self) -> set[int]:
        """All clients of the round."""
        return {n for some in self.groups.members for n in some}

    def form(self, members: int) -> Form:
        """Return how the vectors of a group of so many are laid out."""
        assert self.plan is not None
        numbers = parameters(members, self._spec)
        return Form(decode_plan(self.plan), self._genesis.privacy, numbers)

    def _planned(self, members: int) -> Any:
        def plan() -> tuple[bytes, Lanes]:
            assert self.plan is not None
            return self.plan, self.form(members).lanes

        return plan

    # --- a stage

    def over(self, now: float, wanted: int) -> str | None:
        """Return why the stage is over, or None.

        Args:
            now: seconds.
            wanted: masked vectors after which the round waits for no more, unless a group has too
                few of them to be opened.
        """
        stage = self.stage
        if not stage.awaited():
            return "all"
        if stage.name == MASK and len(stage.answers) >= wanted and self._each_enough():
            return "enough"
        return "deadline" if now >= stage.ends else None

    def _each_enough(self) -> bool:
        here = self.stage.answers.keys()
        found = ((len(m), len(here & set(m))) for m in self._open_groups())
        return all(there >= parameters(n, self._spec).least for n, there in found)

    def _open_groups(self) -> list[tuple[int, ...]]:
        return [m for g, m in enumerate(self.groups.members) if g not in self.results]

    def hopeless(self, there: set[int]) -> bool:
        """Return whether too few of every group are among those who are there, and not lost."""
        hope = (self.stage.answers.keys() | self.stage.awaited()) & there
        found = ((len(m), len(hope & set(m))) for m in self._open_groups())
        return all(left < parameters(n, self._spec).least for n, left in found)

    def advance(self, now: float, seconds: float, reason: str) -> None:
        """Give the sums what came, and go on to the next stage.

        Args:
            now: seconds.
            seconds: until the end of that stage.
            reason: why this one is over.
        """
        before = self.stage
        silent = before.awaited() if reason == "deadline" else set()  # others are not needed
        self.missing += len(silent)
        self.lost |= dict.fromkeys(silent, "did not answer in time") | before.lost
        names = {SHARE: MASK, MASK: UNMASK, UNMASK: DONE}
        self.stage = Progress(names[before.name], now, now + seconds)
        came = before.complaints | before.answers
        for group, members in enumerate(self.groups.members):
            if group not in self.results:
                self._step(group, {n: a for n, a in came.items() if n in set(members)})
        if len(self.results) == len(self.groups):
            self.stage.name = DONE

    def _step(self, group: int, answers: Mapping[int, bytes] | None) -> None:
        running = self._sums[group]
        try:
            asks = next(running) if answers is None else running.send(answers)
            self.stage.asks |= asks.to
            self.next |= asks.adverts
            self.accused |= asks.accused
        except StopIteration as stop:
            found: SecureSum | Abandoned = stop.value
            self.results[group] = found
            self.next |= found.adverts
            self.accused |= found.accused
            self.refused += [(n, *why) for n, why in sorted(found.refused.items())]

    def take(self, number: int, message: bytes) -> bool:
        """Take a client's answer; returns whether it was awaited."""
        stage = self.stage
        if number not in stage.asks or number in stage.answers:
            return False
        if message[0] == COMPLAINT:
            stage.complaints[number] = message
            stage.lost[number] = "complained of a neighbour"
            return True
        stage.answers[number] = message
        stage.lost.pop(number, None)
        return True

    def lose(self, number: int, why: str) -> None:
        """Wait for a client no longer."""
        if number in self.stage.awaited():
            self.stage.lost[number] = why
