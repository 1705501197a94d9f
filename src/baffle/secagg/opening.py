"""From clients' unmask answers to the secrets that open a sum, though some of them may lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from baffle.secagg import dealing, wire
from baffle.secagg.shamir import PRIME, SHORT, combine
from baffle.secagg.wire import NONCE, SEAL_BYTES, SHARE_BYTES, TOKEN_BYTES

Points = Mapping[int, int]  # share by coordinate


@dataclass(frozen=True)
class Answer:
    """One client's unmask answer, taken apart.

    Args:
        given: the token that it gives each neighbour among the survivors, by place.
        kept: shares of the key to `sealed`, each under the token that a neighbour has for it.
        sealed: its shares of its neighbours' secrets, enciphered.
    """

    given: Mapping[int, bytes]
    kept: Mapping[int, bytes]
    sealed: bytes


def answer_size(sharing: int, surviving: int) -> int:
    """Return the bytes of an unmask answer behind its tag.

    Args:
        sharing: neighbours who shared.
        surviving: those of them whose vectors came.
    """
    return 2 * TOKEN_BYTES * surviving + SHARE_BYTES * sharing + SEAL_BYTES


def decode_answer(data: bytes, opening: bytes, sharing: int, near: Sequence[int]) -> Answer:
    """Return the answer that these bytes encode.

    Args:
        data: the message.
        opening: hash of the list that was asked for.
        sharing: the sender's neighbours who shared.
        near: places of those of them whose vectors came.

    Raises:
        DecodeError, Refused: as `wire.tagged`.
    """
    size = answer_size(sharing, len(near))
    rest = wire.tagged("unmask answer", data, wire.UNMASK_ANSWER, opening, size)
    end = 2 * TOKEN_BYTES * len(near)
    cut = wire.pieces(rest[:end], TOKEN_BYTES)
    given, kept = cut[: len(near)], cut[len(near) :]
    return Answer(
        dict(zip(near, given, strict=True)), dict(zip(near, kept, strict=True)), rest[end:]
    )


def open_answer(
    place: int, answers: Mapping[int, Answer], opening: bytes, threshold: int
) -> list[bytes] | None:
    """Return the shares in a client's answer, or None if its neighbours' tokens do not open it."""
    answer = answers[place]
    points = {}
    for other, part in answer.kept.items():
        if other in answers:
            token = answers[other].given[place]
            points[other + 1] = int.from_bytes(dealing.mixed(part, token), "little") % SHORT
    for xs in windows(points, threshold):
        secret = combine(xs, [points[x] for x in xs], SHORT)
        key = dealing.opening_key(secret, opening)
        try:
            shares = ChaCha20Poly1305(key).decrypt(NONCE, answer.sealed, opening)
        except InvalidTag:
            continue
        return wire.pieces(shares, SHARE_BYTES)
    return None


def windows(points: Points, threshold: int) -> Iterator[list[int]]:
    """Yield the first t coordinates, then t others, as long as there are any: round the circle.

    A wrong share spoils each window that it is in, so that a few liars next to each other, or one
    among many, are got around. Who sends wrong shares on purpose can spoil a round; he could as
    well have stayed away.
    """
    xs = sorted(points)
    if len(xs) < threshold:
        return
    for start in range(len(xs) if len(xs) > threshold else 1):
        turned = [*xs[start:], *xs[:start]]
        yield sorted(turned[:threshold])


def recover(
    points: Points, threshold: int, right: Callable[[int], bool]
) -> tuple[int, list[int]] | None:
    """Return (secret, coordinates of wrong shares), or None if no t shares give the right one.

    Args:
        points: shares by coordinate.
        threshold: t.
        right: whether a secret is the one that was promised.
    """
    for turn, xs in enumerate(windows(points, threshold)):
        values = [points[x] for x in xs]
        secret = combine(xs, values, PRIME)
        if not right(secret):
            continue
        if not turn:
            return secret, []
        others = [x for x in points if x not in xs]
        return secret, [x for x in others if combine(xs, values, PRIME, x) != points[x]]
    return None
