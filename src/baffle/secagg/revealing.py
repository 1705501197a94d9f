"""A client's third answer: what opens the sum, for one list of survivors and no other."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from baffle.errors import Refused
from baffle.secagg import dealing, wire
from baffle.secagg.keys import Own
from baffle.secagg.masking import require_enough
from baffle.secagg.wallet import Peer, Session, Stage, Wallet, running
from baffle.secagg.wire import NONCE


def unmask(wallet: Wallet, ask: bytes) -> tuple[Wallet, bytes]:
    """Answer an unmask ask: for each neighbour one share of one of its two secrets, never of both.

    Args:
        wallet: what this client keeps.
        ask: from the server: whose masked vectors came.

    Returns:
        (wallet to store first, answer). The shares are enciphered under a key that the server gets
        together only if t of our neighbours answer for the same list.

    Raises:
        DecodeError: not an unmask ask.
        Refused: "early", "context", "few", "sharers", or "opened" for a second list.
    """
    session = running(wallet)
    digest = sha256(ask).digest()
    if digest == session.last_ask:
        return wallet, session.last_answer
    if session.stage is Stage.SHARED:
        raise Refused("early", f"unmask ask: round {session.terms.round} is not masked")
    size = wire.bitmap_size(session.members)
    bitmap = wire.tagged("unmask ask", ask, wire.UNMASK_ASK, session.view, size)
    if session.stage is Stage.OPENED:
        raise Refused(
            "opened",
            f"unmask ask: round {session.terms.round} was opened for another list of clients, and "
            "two lists could give both secrets of one",
        )
    answer = _open(wallet, session, bitmap)
    wiped = tuple(Peer(p.place, p.number, bytes(32), bytes(32), bytes(32)) for p in session.peers)
    after = replace(session, stage=Stage.OPENED, peers=wiped, last_ask=digest, last_answer=answer)
    return wallet.after(after), answer


def _open(wallet: Wallet, session: Session, bitmap: bytes) -> bytes:
    """Return the answer for one list of survivors."""
    survivors = wire.decode_bitmap("unmask ask", bitmap, session.members)
    sharers = wire.decode_bitmap("session", session.sharers, session.members)
    if (survivors & ~sharers).any():
        raise Refused("sharers", "unmask ask: a survivor is on the list who never shared")
    near = [peer for peer in session.peers if survivors[peer.place]]
    require_enough("unmask ask", session, survivors, len(near))
    opening = wire.opening_of(session.view, bitmap)
    own = Own.of(wallet.private, session.terms.run, session.number)
    shares = b"".join(
        peer.self_share if survivors[peer.place] else peer.mask_share
        for peer in session.peers
        if sharers[peer.place]
    )
    key, parts = dealing.opening_shares(
        own, opening, session.threshold, [peer.place + 1 for peer in near]
    )
    given, kept = [], []
    for peer, part in zip(near, parts, strict=True):
        low, high = dealing.tokens(peer.token, opening)
        ours, theirs = (low, high) if session.place < peer.place else (high, low)
        given.append(ours)
        kept.append(dealing.mixed(part, theirs))
    sealed = ChaCha20Poly1305(key).encrypt(NONCE, shares, opening)
    start = wire.head(wire.UNMASK_ANSWER) + opening[: wire.TAG_BYTES]
    return b"".join((start, *given, *kept, sealed))
