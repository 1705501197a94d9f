"""A client's first answer: shares of its secrets for its neighbours, in a roster it has checked.

A client's answers are pure functions: a wallet and an ask in, a wallet and an answer out. The
caller stores the new wallet before the answer leaves. What is refused leaves the wallet as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from baffle.errors import Refused
from baffle.secagg import dealing, wire
from baffle.secagg.graph import neighbours
from baffle.secagg.keys import Advert, Own, decode_advert
from baffle.secagg.spec import Parameters, SecureSpec, parameters
from baffle.secagg.wallet import Peer, Session, Stage, Wallet
from baffle.secagg.wire import NONCE, Roster, Terms

Known = Callable[[int], bytes | None]


def share(
    wallet: Wallet,
    run: bytes,
    number: int,
    spec: SecureSpec,
    ask: bytes,
    known: Known | None = None,
) -> tuple[Wallet, bytes]:
    """Answer a share ask: a pair of shares for each neighbour, and the next mask key.

    Args:
        wallet: what this client keeps.
        run: 16 bytes, of the run that it takes part in.
        number: its number there.
        spec: what sums must withstand; k, t and the rest are computed from it, not asked for.
        ask: from the server.
        known: identity keys by client number, where they are known.

    Returns:
        (wallet to store first, answer)

    Raises:
        DecodeError: not a share ask.
        Refused: "run", "number" (a wallet serves one of each), "round", "masked", "spent",
            "roster", "group", "neighbours", "identity", "signature" or "key".
    """
    roster, encoded = wire.decode_share_ask(ask, spec)
    own = Own.of(wallet.private, run, number)
    before = wallet.current()
    if before is not None and before.number != number:
        raise Refused(
            "number",
            f"share ask: this wallet serves client {before.number}, and is asked as client "
            f"{number}",
        )
    again = before is not None and before.context == roster.context
    if not again:
        _require_new(before, roster.terms, run)
    label = before.label if before is not None and again else wallet.label
    place = _place(own, label, roster)
    numbers = parameters(len(roster.leaves), spec)
    adverts = _neighbours(roster, numbers, place, own.advert(label), encoded)
    for _, advert in adverts:
        advert.verify(run, known(advert.number) if known else None)
    peers, sealed = _seal(own, label, roster.context, numbers, place, adverts)
    answer = _answer(own, label, roster.context, sealed)
    if again:
        return wallet, answer
    session = Session(
        Stage.SHARED, roster.terms, number, label, place, numbers.members, numbers.threshold,
        numbers.least, roster.context, bytes(32), bytes(32),
        bytes(wire.bitmap_size(numbers.members)), peers,
    )  # fmt: skip
    if before is not None:
        session = replace(session, last_ask=before.last_ask, last_answer=before.last_answer)
    return wallet.after(session, label + 1), answer


def _answer(own: Own, label: int, context: bytes, sealed: Sequence[bytes]) -> bytes:
    """Return a share answer."""
    promised = dealing.commitment(dealing.self_secret(own, context), context)
    start = wire.head(wire.SHARE_ANSWER) + context[: wire.TAG_BYTES]
    return b"".join((start, own.mask_public(label + 1), promised, *sealed))


def _require_new(before: Session | None, terms: Terms, run: bytes) -> None:
    """Raise Refused unless a sum is of our run and of no round that we have masked for."""
    if terms.run != run:
        raise Refused(
            "run", f"share ask: expected run {run.hex()}, got {terms.run.hex()}: not ours"
        )
    if before is None:
        return
    if before.terms.run != run:
        raise Refused(
            "run",
            f"share ask: this wallet served run {before.terms.run.hex()}, and serves no other",
        )
    if terms.round < before.terms.round:
        raise Refused(
            "round", f"share ask: round {terms.round} is past, {before.terms.round} was shared for"
        )
    if terms.round == before.terms.round and before.stage is not Stage.SHARED:
        raise Refused(
            "masked",
            f"share ask: round {terms.round} has this client's masked vector already, and a second "
            "sum of one round would tell the two apart",
        )


def _place(own: Own, label: int, roster: Roster) -> int:
    """Return our place in the roster: where our own advert's hash stands."""
    leaf = own.advert(label).leaf
    found = roster.leaves.count(leaf)
    if found == 1 and len(set(roster.leaves)) == len(roster.leaves):
        return roster.leaves.index(leaf)
    if not found and label and own.advert(label - 1).leaf in roster.leaves:
        raise Refused("spent", f"share ask: mask key {label - 1} is spent, {label} is next")
    raise Refused(
        "roster",
        f"share ask: client {own.number} with mask key {label} stands {found} times in the roster "
        f"of {len(roster.leaves)}, and everyone must stand there once",
    )


def _neighbours(
    roster: Roster, numbers: Parameters, place: int, ours: Advert, encoded: Sequence[bytes]
) -> list[tuple[int, Advert]]:
    """Return (place, advert) of our neighbours, if exactly theirs were sent."""
    places = neighbours(roster.graph_seed, numbers.members, numbers.neighbours, place).tolist()
    found = []
    for at, data in zip(places, encoded, strict=True):
        if sha256(data).digest() != roster.leaves[at]:
            raise Refused(
                "neighbours", f"share ask: the advert for place {at} is not the one in the roster"
            )
        found.append((at, decode_advert(data)))
    everyone = [ours, *(advert for _, advert in found)]
    for name in ("identity", "channel", "mask"):
        if len({getattr(advert, name) for advert in everyone}) < len(everyone):
            raise Refused("roster", f"share ask: two members with one {name} key are one client")
    line = sorted([(place, ours.number), *((at, advert.number) for at, advert in found)])
    if any(a[1] >= b[1] for a, b in pairwise(line)):
        raise Refused("roster", "share ask: members do not stand in the order of their numbers")
    return found


def _seal(
    own: Own, label: int, context: bytes, numbers: Parameters, place: int,
    adverts: Sequence[tuple[int, Advert]],
) -> tuple[tuple[Peer, ...], list[bytes]]:  # fmt: skip
    """Return (neighbours as they are remembered, their shares enciphered)."""
    xs = [at + 1 for at, _ in adverts]
    shares = dealing.share_out(own, label, context, numbers.threshold, xs)
    peers, sealed = [], []
    for (at, advert), pair in zip(adverts, shares, strict=True):
        whose = f"client {advert.number}"
        low, high, token = dealing.channel_keys(own, advert.channel, whose, context)
        outbound, inbound = (low, high) if place < at else (high, low)
        sealed.append(ChaCha20Poly1305(outbound).encrypt(NONCE, pair, context))
        peers.append(Peer(at, advert.number, advert.mask, inbound, token))
    return tuple(peers), sealed
