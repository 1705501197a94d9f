"""What of a client must outlive its process: 32 private bytes, the next label, the session.

A wallet is stored before the answer that it came with leaves. Then a client that starts again gives
the same bytes to the same question, and nothing to another.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

from baffle.errors import DecodeError, Refused
from baffle.secagg.keys import MAX_LABEL, Advert, Own
from baffle.secagg.masks import SECRET_BYTES
from baffle.secagg.wire import SHARE_BYTES, Terms, bitmap_size

WALLET_FORMAT, SESSION_FORMAT = 1, 1
_WALLET = struct.Struct("<B32sII")
_SESSION = struct.Struct("<BB16sIHHIIIIIII32s32s32s32sI")
_PEER = struct.Struct("<II32s32s32s32s32s")
MAX_SESSION = 2**23


class Stage(IntEnum):
    """How far a sum has come at a client; each is entered once a round."""

    SHARED = 1
    MASKED = 2
    OPENED = 3


@dataclass(frozen=True)
class Peer:
    """A neighbour in one sum.

    Args:
        place: in the roster.
        number: of the client.
        mask: its public mask key; wiped once the vector is masked.
        inbound: key of what it sends us; wiped with it.
        token: key of the tokens between us.
        self_share, mask_share: our shares of its two secrets, 32 bytes each, zeros before they came
            and after they were used.
    """

    place: int
    number: int
    mask: bytes
    inbound: bytes
    token: bytes
    self_share: bytes = bytes(SHARE_BYTES)
    mask_share: bytes = bytes(SHARE_BYTES)

    def holding(self, self_share: bytes, mask_share: bytes) -> Peer:
        """Return it with our shares of its secrets."""
        fixed = self.place, self.number, self.mask, self.inbound, self.token
        return Peer(*fixed, self_share, mask_share)


@dataclass(frozen=True)
class Session:
    """One sum that a client takes part in.

    Args:
        stage: how far it has come.
        terms: which sum.
        number, label, place: who we are in it.
        members, threshold, least: n, t, and fewest survivors.
        context, view: what keys and masks are bound to.
        answered: hash of the masked answer; there is only one.
        sharers: bitmap of who shared, zeros before MASKED.
        peers: neighbours, by place.
        last_ask, last_answer: hash of the unmask ask that was answered last, and the answer.
    """

    stage: Stage
    terms: Terms
    number: int
    label: int
    place: int
    members: int
    threshold: int
    least: int
    context: bytes
    view: bytes
    answered: bytes
    sharers: bytes
    peers: tuple[Peer, ...]
    last_ask: bytes = bytes(32)
    last_answer: bytes = b""

    def to_bytes(self) -> bytes:
        """Return the session's one encoding."""
        t = self.terms
        head = _SESSION.pack(
            SESSION_FORMAT, self.stage, t.run, t.round, t.group, t.groups, self.number, self.label,
            self.place, self.members, self.threshold, self.least, len(self.peers), self.context,
            self.view, self.answered, self.last_ask, len(self.last_answer),
        )  # fmt: skip
        peers = [
            _PEER.pack(p.place, p.number, p.mask, p.inbound, p.token, p.self_share, p.mask_share)
            for p in self.peers
        ]
        return b"".join((head, self.sharers, *peers, self.last_answer))

    @staticmethod
    def from_bytes(data: bytes) -> Session:
        """Return the session that these bytes encode.

        Raises:
            DecodeError: not the one encoding of a session.
        """
        if not _SESSION.size <= len(data) <= MAX_SESSION:
            raise DecodeError(
                f"session: expected {_SESSION.size} to {MAX_SESSION} bytes, got {len(data)}"
            )
        (form, stage, run, round_, group, groups, number, label, place, members, threshold, least,
         k, context, view, answered, last_ask, kept) = _SESSION.unpack_from(data)  # fmt: skip
        start = _SESSION.size + bitmap_size(members)
        end = start + k * _PEER.size
        if form != SESSION_FORMAT or stage not in tuple(Stage):
            raise DecodeError(f"session: expected format {SESSION_FORMAT}, got {form}")
        if len(data) != end + kept:
            raise DecodeError(f"session: expected {end + kept} bytes, got {len(data)}")
        peers = tuple(Peer(*_PEER.unpack_from(data, at)) for at in range(start, end, _PEER.size))
        return Session(
            Stage(stage), Terms(run, round_, group, groups), number, label, place, members,
            threshold, least, context, view, answered, data[_SESSION.size : start], peers, last_ask,
            data[end:],
        )  # fmt: skip


@dataclass(frozen=True)
class Wallet:
    """What a client keeps in one run.

    An older copy of a wallet must not be put back: it would answer again what was answered.

    Args:
        private: 32 bytes from the operating system (`secrets.token_bytes(32)`).
        label: of the mask key that is not spent yet.
        session: the sum in progress, encoded; empty before the first.
    """

    private: bytes
    label: int = 0
    session: bytes = b""

    def __post_init__(self) -> None:
        if len(self.private) != SECRET_BYTES or not 0 <= self.label <= MAX_LABEL:
            raise DecodeError(
                f"wallet: expected {SECRET_BYTES} private bytes and a label up to {MAX_LABEL}, "
                f"got {len(self.private)} and {self.label}"
            )

    def __repr__(self) -> str:
        return f"Wallet(label={self.label}, session of {len(self.session)} bytes)"  # no secrets

    def to_bytes(self) -> bytes:
        """Return the wallet's one encoding. It is secret: keep it where only its owner reads."""
        size = len(self.session)
        return _WALLET.pack(WALLET_FORMAT, self.private, self.label, size) + self.session

    @staticmethod
    def from_bytes(data: bytes) -> Wallet:
        """Return the wallet that these bytes encode.

        Raises:
            DecodeError: not the one encoding of a wallet.
        """
        if len(data) < _WALLET.size:
            raise DecodeError(f"wallet: expected at least {_WALLET.size} bytes, got {len(data)}")
        form, private, label, size = _WALLET.unpack_from(data)
        if form != WALLET_FORMAT:
            raise DecodeError(f"wallet: expected format {WALLET_FORMAT}, got {form}")
        session = data[_WALLET.size :]
        if len(session) != size:
            raise DecodeError(f"wallet: expected a session of {size} bytes, got {len(session)}")
        wallet = Wallet(private, label, session)
        wallet.current()
        return wallet

    def current(self) -> Session | None:
        """Return the sum in progress, or None before the first."""
        return self._session

    @cached_property
    def _session(self) -> Session | None:
        return Session.from_bytes(self.session) if self.session else None

    def after(self, session: Session, label: int | None = None) -> Wallet:
        """Return the wallet with another session, and another label if one was spent."""
        label = self.label if label is None else label
        return replace(self, session=session.to_bytes(), label=label)


def advert(wallet: Wallet, run: bytes, number: int) -> Advert:
    """Return what a client says of itself before a sum, with its unspent mask key."""
    return Own.of(wallet.private, run, number).advert(wallet.label)


def running(wallet: Wallet) -> Session:
    """Return the sum in progress.

    Raises:
        Refused: "early", nothing was shared yet.
    """
    session = wallet.current()
    if session is None:
        raise Refused("early", "a masked vector is asked for before any secret was shared")
    return session


def members(wallet: Wallet) -> int:
    """Return n of the sum in progress, from which lanes and noise are sized."""
    return running(wallet).members


def least(wallet: Wallet) -> int:
    """Return the fewest clients whose sum may be opened, from which noise shares are sized."""
    return running(wallet).least
