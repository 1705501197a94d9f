"""What the server's side hands out: asks on the way, and how a sum ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from baffle.secagg.keys import Advert
from baffle.secagg.spec import Parameters

SHARE, MASK, UNMASK = "share", "mask", "unmask"
Refusals = Mapping[int, tuple[str, str]]
Accused = Mapping[int, tuple[str, str]]


@dataclass(frozen=True)
class Asks:
    """What to send whom before the sum goes on.

    Args:
        stage: "share", "mask" or "unmask".
        to: bytes by client number.
        adverts: next adverts of those who have shared, by client number; empty at "share".
        accused: as in SecureSum, so far.
    """

    stage: str
    to: Mapping[int, bytes]
    adverts: Mapping[int, Advert] = field(default_factory=dict)
    accused: Accused = field(default_factory=dict)


@dataclass(frozen=True)
class SecureSum:
    """A sum, and nothing but the sum.

    Args:
        values: int64 [lanes], the sum over the participants.
        participants: client numbers, ascending.
        dropped: by stage, whose answers did not come or were refused.
        refused: by client number, (reason, sentence) of an answer that was not taken.
        parameters: of the group.
        adverts: by client number, for the next sum: of those who shared in this one.
        accused: by client number, (reason, sentence) of who lied, unless more clients than the spec
            allows for lie about it: "cipher", it sealed what does not open, so say more than c of
            its neighbours (and two at least); "secret", it dealt wrong shares, or promised another
            secret. Leave it out of the next sums.
    """

    values: NDArray[np.int64]
    participants: tuple[int, ...]
    dropped: Mapping[str, tuple[int, ...]]
    refused: Refusals
    parameters: Parameters
    adverts: Mapping[int, Advert]
    accused: Accused = field(default_factory=dict)


@dataclass(frozen=True)
class Abandoned:
    """No sum: too few stayed, or what they sent does not fit together.

    Before the unmask asks went out nothing is revealed. After that the server may know the sum of
    those who were asked, whatever became of it: privacy has to be counted for them.

    Args:
        reason: "group", "shares", "masks", "unmask", "secret" or "range".
        sentence: the reason in words.
        dropped, refused, parameters, adverts: as in SecureSum; no parameters without a group.
        opened: clients whose sum may have been opened all the same.
        accused: as in SecureSum.
    """

    reason: str
    sentence: str
    dropped: Mapping[str, tuple[int, ...]]
    refused: Refusals
    parameters: Parameters | None
    adverts: Mapping[int, Advert]
    opened: tuple[int, ...] = ()
    accused: Accused = field(default_factory=dict)
