"""A group's sum in progress at the server: who is left, what they sent, what to ask next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from baffle.errors import ConfigError, ProtocolError, Refused
from baffle.secagg import wire
from baffle.secagg.graph import adjacency
from baffle.secagg.keys import Advert, encode_advert, require_usable
from baffle.secagg.lanes import Lanes
from baffle.secagg.spec import SecureSpec, parameters
from baffle.secagg.wire import HASH_BYTES, SEALED_BYTES, TAG_BYTES, Roster, Terms

Answers = Mapping[int, bytes]
MOST_WORK = 2**21  # a sum, on deciding who lied (`decoding_work`): a few seconds


class Stop(Exception):
    """A sum that ends without one: (reason, sentence). `secure_sum` makes Abandoned of it."""


class Group:
    """A sum in progress. Places are 0 … n - 1, numbers are the clients' own."""

    def __init__(self, terms: Terms, spec: SecureSpec, adverts: Sequence[Advert]) -> None:
        numbers = [advert.number for advert in adverts]
        if any(a >= b for a, b in pairwise(numbers)):
            raise ConfigError("secure sums: adverts must come in the order of client numbers")
        self.adverts = adverts
        self.numbers = parameters(len(adverts), spec)
        self.encoded = [encode_advert(advert) for advert in adverts]
        self.roster = Roster(terms, tuple(advert.leaf for advert in adverts))
        self.context = self.roster.context
        self.near = adjacency(self.roster.graph_seed, len(adverts), self.numbers.neighbours)
        self.next: dict[int, Advert] = {}
        self.commitments: dict[int, bytes] = {}
        self.sealed: dict[int, dict[int, bytes]] = {}  # by sender, by receiver
        self.dropped: dict[str, tuple[int, ...]] = {}
        self.refused: dict[int, tuple[str, str]] = {}
        self.accused: dict[int, tuple[str, str]] = {}
        self.complaints: dict[int, list[int]] = {}  # who complains, by whom it is about
        self.liars = max(1, self.numbers.colluding)  # neighbours of one client who may lie of it
        self.work = MOST_WORK  # left
        self.opened: tuple[int, ...] = ()  # whose unmask answers were asked for
        self.total: NDArray[np.uint64]

    def number(self, place: int) -> int:
        """Return the number of the client at a place."""
        return self.adverts[place].number

    def take(
        self, stage: str, asked: Sequence[int], answers: Answers, read: Callable[[int, bytes], None]
    ) -> list[int]:
        """Read what came; return the places whose answers were taken, and note the others."""
        taken = []
        for place in asked:
            data = answers.get(self.number(place))
            if data is None:
                continue
            try:
                read(place, data)
                taken.append(place)
            except ProtocolError as problem:
                self.refuse(place, getattr(problem, "reason", "bytes"), str(problem))
        self.lost(stage, asked, taken)
        return taken

    def refuse(self, place: int, reason: str, sentence: str) -> None:
        """Note why an answer was not taken."""
        number = self.number(place)
        self.refused[number] = (reason, f"client {number}: {sentence}")

    def was_refused(self, place: int) -> bool:
        """Return whether an answer of a place was not taken."""
        return self.number(place) in self.refused

    def lost(self, stage: str, asked: Sequence[int], taken: Sequence[int]) -> None:
        """Note who was asked at a stage and is not with us afterwards."""
        gone = sorted(set(asked) - set(taken))
        self.dropped[stage] = tuple(self.number(place) for place in gone)

    def chosen(self, places: Sequence[int]) -> NDArray[np.bool_]:
        """Return places as bool [n]."""
        found = np.zeros(len(self.adverts), dtype=bool)
        found[np.array(places, dtype=np.int64)] = True
        return found

    def share_asks(self) -> dict[int, bytes]:
        """Return everyone's share ask, by client number."""
        return {
            self.number(place): wire.encode_share_ask(
                self.roster, [self.encoded[other] for other in row]
            )
            for place, row in enumerate(self.near.tolist())
        }

    def read_share(self, place: int, data: bytes) -> None:
        """Take a share answer apart."""
        row = self.near[place].tolist()
        size = 2 * HASH_BYTES + SEALED_BYTES * len(row)
        rest = wire.tagged("share answer", data, wire.SHARE_ANSWER, self.context, size)
        advert = self.adverts[place]
        require_usable(rest[:32], "its next mask key")
        self.next[advert.number] = replace(advert, label=advert.label + 1, mask=rest[:32])
        self.commitments[place] = rest[32:64]
        self.sealed[place] = dict(zip(row, wire.pieces(rest[64:], SEALED_BYTES), strict=True))

    def connected(self, places: Sequence[int]) -> list[int]:
        """Return the places that keep t neighbours, the others taken out until all do."""
        chosen = self.chosen(places)
        while True:
            kept = chosen & (chosen[self.near].sum(axis=1) >= self.numbers.threshold)
            if (kept == chosen).all():
                return [int(place) for place in np.flatnonzero(kept)]
            chosen = kept

    def require(self, reason: str, places: Sequence[int], what: str) -> None:
        """Stop if fewer than the least number are left."""
        if len(places) < self.numbers.least:
            raise Stop(
                reason,
                f"expected {what} of {self.numbers.least} clients or more, got {len(places)}",
            )

    def mask_asks(self, sharers: list[int], bitmap: bytes) -> dict[int, bytes]:
        """Return the sharers' mask asks, by client number."""
        chosen = self.chosen(sharers)
        start = wire.head(wire.MASK_ASK) + self.context[:TAG_BYTES] + bitmap
        return {
            self.number(place): b"".join(
                (start, *(self.sealed[other][place] for other in self.near[place] if chosen[other]))
            )
            for place in sharers
        }

    def read_mask(self, place: int, data: bytes, view: bytes, lanes: Lanes) -> None:
        """Add a masked vector to the total, or note a complaint and raise Refused."""
        if data[:1] == bytes((wire.COMPLAINT,)):
            self._complain(place, wire.decode_complaint(data, self.context))
        n = len(self.adverts)
        rest = wire.tagged("mask answer", data, wire.MASK_ANSWER, view, lanes.size(n))
        self.total = self.total + lanes.unpack(rest, n)

    def _complain(self, place: int, about: int) -> None:
        """Note that what a neighbour sealed does not open, as the receiver says. It raises."""
        if about not in self.near[place] or about not in self.sealed:
            raise Refused("context", "a complaint about someone who sealed nothing for it")
        self.complaints.setdefault(about, []).append(place)
        raise Refused(
            "cipher", f"says that what client {self.number(about)} sealed for it does not open"
        )

    def judge(self) -> None:
        """Accuse whom more neighbours complain of than may lie: who sealed is not proved."""
        for about, by in self.complaints.items():
            if len(by) > self.liars:
                whose = ", ".join(str(self.number(place)) for place in by[:5])
                more = f" and {len(by) - 5} more" if len(by) > 5 else ""
                self.accuse(about, "cipher", f"what it sealed for {whose}{more} does not open")

    def accuse(self, place: int, reason: str, sentence: str) -> None:
        """Note who lied."""
        number = self.number(place)
        self.accused[number] = (reason, f"client {number}: {sentence}")
