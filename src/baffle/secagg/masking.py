"""A client's second answer: its vector, under masks that go away in the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from numpy.typing import NDArray

from baffle.errors import DecodeError, Refused
from baffle.secagg import dealing, wire
from baffle.secagg.keys import Own, agree, mask_key
from baffle.secagg.lanes import Lanes
from baffle.secagg.masks import keystream
from baffle.secagg.wallet import Peer, Session, Stage, Wallet, running
from baffle.secagg.wire import NONCE, SHARE_BYTES


class DoesNotOpen(Refused):
    """What a neighbour sealed for us does not open. `complaint` is to be sent instead of a vector.

    It says nothing of this client but that, and leaves the wallet as it was.
    """

    def __init__(self, complaint: bytes, message: str) -> None:
        super().__init__("cipher", message)
        self.complaint = complaint


def mask(
    wallet: Wallet, ask: bytes, plan: bytes, lanes: Lanes, vector: NDArray[np.int64]
) -> tuple[Wallet, bytes]:
    """Answer a mask ask: our vector under masks that go away in the sum.

    Args:
        wallet: what this client keeps.
        ask: from the server.
        plan: bytes of the plan that the vector answers. Masks are bound to them: who was sent
            another plan is no part of this sum.
        lanes: the vector's form.
        vector: int64 [lanes.count], within the lanes' bounds.

    Returns:
        (wallet to store first, answer)

    Raises:
        BoundError: an integer out of its lane's bound. Nothing is masked then.
        DecodeError: not a mask ask.
        DoesNotOpen: "cipher"; send its complaint.
        Refused: "early", "late", "context", "few", "sharers", "key" or "twice".
    """
    session = running(wallet)
    lanes.check(vector)
    if session.stage is Stage.OPENED:
        raise Refused("late", f"mask ask: round {session.terms.round} is opened")
    sharers, sealed = _decode_mask_ask(session, ask)
    chosen = wire.decode_bitmap("mask ask", sharers, session.members)
    view = wire.view_of(session.context, sharers, plan, lanes.describe())
    peers = session.peers if session.stage is Stage.MASKED else _unseal(session, chosen, sealed)
    if session.stage is Stage.MASKED and view != session.view:
        raise Refused(
            "twice",
            f"mask ask: round {session.terms.round} is masked for one plan and list of clients, "
            "and this is another",
        )
    own = Own.of(wallet.private, session.terms.run, session.number)
    words = vector.view(np.uint64) + _masks(own, session, peers, chosen, view, lanes.count)
    packed = lanes.pack(words, session.members)
    answer = wire.head(wire.MASK_ANSWER) + view[: wire.TAG_BYTES] + packed
    answered = sha256(answer).digest()
    if session.stage is Stage.MASKED:
        if answered != session.answered:
            raise Refused("twice", f"mask ask: round {session.terms.round} has another vector")
        return wallet, answer
    after = replace(
        session, stage=Stage.MASKED, view=view, answered=answered, sharers=sharers, peers=peers
    )
    return wallet.after(after), answer


def _decode_mask_ask(session: Session, ask: bytes) -> tuple[bytes, list[bytes]]:
    """Return (bitmap of who shared, what they sealed for us)."""
    size = wire.bitmap_size(session.members)
    start = 2 + wire.TAG_BYTES
    bitmap = ask[start : start + size]
    if len(bitmap) < size:
        raise DecodeError(f"mask ask: expected at least {start + size} bytes, got {len(ask)}")
    chosen = wire.decode_bitmap("mask ask", bitmap, session.members)
    count = sum(bool(chosen[peer.place]) for peer in session.peers)
    rest = wire.tagged(
        "mask ask", ask, wire.MASK_ASK, session.context, size + count * wire.SEALED_BYTES
    )
    require_enough("mask ask", session, chosen, count)
    return bitmap, wire.pieces(rest[size:], wire.SEALED_BYTES)


def require_enough(what: str, session: Session, chosen: NDArray[np.bool_], near: int) -> None:
    """Raise Refused unless a list holds this client, enough clients and enough neighbours."""
    if not chosen[session.place]:
        raise Refused("sharers", f"{what}: this client is not on the list, and was asked")
    if int(chosen.sum()) < session.least:
        raise Refused(
            "few", f"{what}: expected {session.least} clients or more, got {int(chosen.sum())}"
        )
    if near < session.threshold:
        raise Refused(
            "few", f"{what}: expected {session.threshold} of our neighbours or more, got {near}"
        )


def _unseal(
    session: Session, chosen: NDArray[np.bool_], sealed: Sequence[bytes]
) -> tuple[Peer, ...]:
    """Return the neighbours with our shares of their secrets, where they sent any."""
    coming = iter(sealed)
    peers = []
    for peer in session.peers:
        if not chosen[peer.place]:
            peers.append(peer)
            continue
        try:
            pair = ChaCha20Poly1305(peer.inbound).decrypt(NONCE, next(coming), session.context)
        except InvalidTag:
            raise DoesNotOpen(
                wire.encode_complaint(session.context, peer.place),
                f"mask ask: what client {peer.number} sealed for client {session.number} does not "
                "open: it was changed on the way, or they were shown different rosters",
            ) from None
        peers.append(peer.holding(pair[:SHARE_BYTES], pair[SHARE_BYTES:]))
    return tuple(peers)


def _masks(
    own: Own, session: Session, peers: Sequence[Peer], chosen: NDArray[np.bool_], view: bytes,
    count: int,
) -> NDArray[np.uint64]:  # fmt: skip
    """Return the sum of our own mask and those in common with the neighbours who shared."""
    total = keystream(
        dealing.self_key(dealing.self_secret(own, session.context), view), count
    ).copy()
    key = mask_key(own.mask_secret(session.label))
    for peer in peers:
        if not chosen[peer.place]:
            continue
        common = agree(key, peer.mask, f"client {peer.number}")
        words = keystream(dealing.pair_key(common, view), count)
        (np.add if session.place < peer.place else np.subtract)(total, words, out=total)
    return total
