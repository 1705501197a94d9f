"""The decoders of secure sums: adverts, share asks, wallets."""

from __future__ import annotations

from typing import Any

from baffle.errors import DecodeError, Refused
from baffle.secagg import (
    Advert,
    SecureSpec,
    Terms,
    Wallet,
    decode_advert,
    encode_advert,
    parameters,
)
from baffle.secagg.keys import ADVERT_BYTES, MAX_LABEL
from baffle.secagg.wallet import Peer, Session, Stage
from baffle.secagg.wire import Roster, bitmap_size, decode_share_ask, encode_share_ask
from tools.fuzz.draws import Draws
from tools.fuzz.mutations import Sample
from tools.fuzz.target import Bytes, Case, differing

SPEC = SecureSpec(min_group=2)


def _advert(draws: Draws) -> Advert:
    keys = (draws.bytes(32), draws.bytes(32), draws.bytes(64), draws.bytes(32))
    return Advert(draws.bits(32), min(draws.bits(32), MAX_LABEL), *keys)


class Adverts(Bytes):
    """`decode_advert`."""

    name = "advert"

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return an advert."""
        return Sample(encode_advert(_advert(draws)), ((2, 4), (6, 4)), header=2), None

    def decode(self, case: Case) -> Advert:
        """Call it."""
        return decode_advert(case.data)

    def wrong(self, case: Case, value: Advert) -> str | None:
        """Check range and encoding."""
        return differing(
            {"encoding": encode_advert(value) == case.data, "label": value.label <= MAX_LABEL}
        )


class ShareAsks(Bytes):
    """`decode_share_ask`, told what sums must withstand."""

    name = "share ask"
    errors = (DecodeError, Refused)
    slope = 24  # 32 bytes of a leaf are an object of 65

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a share ask to one of a few clients, seldom of some thousands."""
        n = draws.between(2, 12) if not large else 3000
        groups = draws.between(1, 9)
        terms = Terms(draws.bytes(16), draws.bits(32), draws.below(groups), groups)
        k = parameters(n, SPEC).neighbours
        adverts = [draws.bytes(ADVERT_BYTES) for _ in range(k)]
        roster = Roster(terms, tuple(draws.bytes(32) for _ in range(n)))
        fields = ((18, 4), (22, 2), (24, 2), (26, 4))
        return Sample(encode_share_ask(roster, adverts), fields, header=2), None

    def decode(self, case: Case) -> tuple[Roster, list[bytes]]:
        """Call it."""
        return decode_share_ask(case.data, SPEC)

    def wrong(self, case: Case, value: tuple[Roster, list[bytes]]) -> str | None:
        """Check ranges and encoding."""
        roster, adverts = value
        n = len(roster.leaves)
        return differing(
            {
                "encoding": encode_share_ask(roster, adverts) == case.data,
                "group": roster.terms.group < roster.terms.groups and n >= SPEC.min_group,
                "neighbours": len(adverts) == parameters(n, SPEC).neighbours,
            }
        )


def _session(draws: Draws, members: int) -> Session:
    terms = Terms(draws.bytes(16), draws.bits(32), draws.bits(16), draws.bits(16))
    words = [draws.bits(32) for _ in range(6)]
    peers = tuple(
        Peer(draws.bits(32), draws.bits(32), *(draws.bytes(32) for _ in range(5)))
        for _ in range(draws.below(5))
    )
    number, label, place, threshold, least, _ = words
    return Session(
        Stage(draws.between(1, 3)), terms, number, label, place, members, threshold, least,
        draws.bytes(32), draws.bytes(32), draws.bytes(32), draws.bytes(bitmap_size(members)), peers,
        draws.bytes(32), draws.bytes(draws.below(60)),
    )  # fmt: skip


class Wallets(Bytes):
    """`Wallet.from_bytes`, of a disk that may be damaged."""

    name = "wallet"

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a wallet, with a sum in progress or without."""
        session = _session(draws, 9000 if large else draws.below(40)) if draws.chance(2) else None
        label = min(draws.bits(32), MAX_LABEL)
        found = Wallet(draws.bytes(32), label, session.to_bytes() if session else b"")
        fields = ((33, 4), (37, 4), (41, 1), (42, 1))
        return Sample(found.to_bytes(), fields if session else fields[:2], header=1), None

    def decode(self, case: Case) -> Wallet:
        """Call it."""
        return Wallet.from_bytes(case.data)

    def wrong(self, case: Case, value: Wallet) -> str | None:
        """Check the encoding, of the session as well."""
        session = value.current()
        return differing(
            {
                "encoding": value.to_bytes() == case.data,
                "session": session is None or session.to_bytes() == value.session,
            }
        )
