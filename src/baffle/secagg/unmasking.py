"""The last stage at the server: shares to secrets, secrets to masks, and the masks taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.errors import Refused
from baffle.secagg import dealing, wire
from baffle.secagg.decoding import decode, decoding_work
from baffle.secagg.group import Answers, Group, Stop
from baffle.secagg.keys import agree, mask_key
from baffle.secagg.masks import keystream
from baffle.secagg.opening import Answer, decode_answer, open_answer, recover
from baffle.secagg.outcome import UNMASK
from baffle.secagg.shamir import PRIME


@dataclass(frozen=True)
class Lists:
    """Who shared, whose vectors came, and the hashes that this is bound to.

    Args:
        sharers, survivors: bool [n].
        view, opening: as `wire.view_of` and `wire.opening_of`.
    """

    sharers: NDArray[np.bool_]
    survivors: NDArray[np.bool_]
    view: bytes
    opening: bytes

    def needed(self, group: Group) -> list[int]:
        """Return the places whose secrets have to be put together.

        Own masks of the survivors, and masks that survivors have in common with someone gone.
        """
        touched = self.survivors | (self.sharers & self.survivors[group.near].any(axis=1))
        return [int(place) for place in np.flatnonzero(touched)]


def require_openable(group: Group, lists: Lists) -> None:
    """Stop unless everyone whose secret is needed has t neighbours left who could give it."""
    near = lists.survivors[group.near].sum(axis=1)
    for place in lists.needed(group):
        if near[place] < group.numbers.threshold:
            raise Stop(
                "masks",
                f"client {group.number(place)} has {near[place]} neighbours left of the "
                f"{group.numbers.threshold} who must stand in for it",
            )


def remove_masks(group: Group, answers: Answers, lists: Lists) -> None:
    """Take all masks out of the group's total, or stop."""
    parts: dict[int, Answer] = {}

    def read(place: int, data: bytes) -> None:
        row = group.near[place]
        near = row[lists.survivors[row]].tolist()
        parts[place] = decode_answer(data, lists.opening, int(lists.sharers[row].sum()), near)

    asked = np.flatnonzero(lists.survivors).tolist()
    group.take(UNMASK, asked, answers, read)
    points = _open(group, parts, lists)
    group.lost(UNMASK, asked, [place for place in parts if not group.was_refused(place)])
    for place in lists.needed(group):
        survived = bool(lists.survivors[place])
        secret = _secret(group, place, points.get(place, {}), survived)
        if survived:
            group.total -= keystream(dealing.self_key(secret, lists.view), len(group.total))
        else:
            _remove_pairs(group, place, secret, lists)


def _open(group: Group, answers: dict[int, Answer], lists: Lists) -> dict[int, dict[int, int]]:
    """Return the shares of each one's needed secret, by place and the holder's coordinate."""
    points: dict[int, dict[int, int]] = {}
    for place in answers:
        shares = open_answer(place, answers, lists.opening, group.numbers.threshold)
        if shares is None:
            group.refuse(place, "tokens", "its neighbours' tokens do not open its unmask answer")
            continue
        holders = (other for other in group.near[place].tolist() if lists.sharers[other])
        for other, part in zip(holders, shares, strict=True):
            points.setdefault(other, {})[place + 1] = int.from_bytes(part, "little") % PRIME
    return points


def _secret(group: Group, place: int, points: Mapping[int, int], survived: bool) -> int:
    """Return one's secret, put together and checked against what it promised."""
    number, threshold = group.number(place), group.numbers.threshold
    if len(points) < threshold:
        raise Stop(
            "unmask",
            f"client {number}: expected shares of its secret from {threshold} neighbours or more, "
            f"got {len(points)}",
        )

    def right(secret: int) -> bool:
        return _promised(group, place, secret, survived)

    found = recover(points, threshold, right)
    if found is None:
        found = _decided(group, place, points, right)
    for x in found[1]:
        group.refuse(x - 1, "share", f"unmask answer: a wrong share of client {number}'s secret")
    return found[0]


def _decided(
    group: Group, place: int, points: Mapping[int, int], right: Callable[[int], bool]
) -> tuple[int, list[int]]:
    """Return one's secret and who sent wrong shares of it; or stop, and accuse it if it lied."""
    number, threshold = group.number(place), group.numbers.threshold
    what = f"client {number}: the shares of its secret do not give what it promised"
    work, wrong = decoding_work(len(points), threshold, group.liars), group.liars
    decides = work is not None and work <= group.work
    if not decides:  # as many wrong ones as can be found at once
        wrong = (len(points) - threshold) // 2
        work = decoding_work(len(points), threshold, wrong)
    group.work -= work or 0
    found = decode(points, threshold, wrong, right) if group.work >= 0 else None
    if found is not None:
        return found
    if not decides:
        raise Stop("secret", f"{what}; it dealt wrong ones, or its neighbours sent wrong ones")
    group.accuse(place, "secret", "it dealt wrong shares of its secret, or promised another")
    raise Stop("secret", f"{what}; it dealt wrong ones, or promised another")


def _promised(group: Group, place: int, secret: int, survived: bool) -> bool:
    if survived:
        return dealing.commitment(secret, group.context) == group.commitments[place]
    return mask_key(secret).public_key().public_bytes_raw() == group.adverts[place].mask


def _remove_pairs(group: Group, place: int, secret: int, lists: Lists) -> None:
    """Take away the masks that survivors have in common with someone who is gone."""
    key = mask_key(secret)
    for other in group.near[place].tolist():
        if not lists.survivors[other]:
            continue
        try:
            common = agree(key, group.adverts[other].mask, f"client {group.number(other)}")
        except Refused as problem:
            raise Stop("secret", str(problem)) from None
        words = keystream(dealing.pair_key(common, lists.view), len(group.total))
        (np.subtract if other < place else np.add)(group.total, words, out=group.total)


def opened_by(view: bytes, survivors: NDArray[np.bool_]) -> tuple[bytes, bytes]:
    """Return (unmask ask, the opening's hash)."""
    bitmap = wire.encode_bitmap(survivors)
    ask = wire.head(wire.UNMASK_ASK) + view[: wire.TAG_BYTES] + bitmap
    return ask, wire.opening_of(view, bitmap)
