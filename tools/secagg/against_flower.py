"""Our secure sums and Flower's on the same vectors: `python -m tools.secagg.against_flower`.

One process, both in turn, processor time of the mathematics alone: no network on either side.
Ours counts with every wallet read and written, Flower's without its records and what it keeps
between stages. Ours is timed as a first round, where each client and the server verify everyone's
signature, and as a later one. Flower has no signatures. About five minutes.
"""

from __future__ import annotations

import statistics
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any

from baffle.bench.secagg import group_of
from baffle.bench.secure_round import (
    RUN,
    Group,
    acquainted,
    forget,
    is_exact,
    plain_sum,
    play,
    serve,
    stranger,
)
from baffle.secagg import SecureSpec, decode_advert, encode_advert, parameters
from tools.fleet.figures.writing import figures
from tools.performance import FIGURES

BITS = 16
SIDES = ("ours", "ours_later", "flower")
Turn = tuple[float, float, bool]
PACKAGES = ("flwr", "cryptography", "pycryptodome")
FLOWER_EXAMPLE = (3, 2)  # num-shares, reconstruction-threshold: examples/flower-secure-aggregation


@dataclass(frozen=True)
class Case:
    """One comparison.

    Args:
        clients: n.
        directions: K.
        gone: how many clients' masked vectors never come.
        repeats: of which the median counts.
        shares: Flower's (num_shares, reconstruction_threshold); None for as many as ours.
    """

    clients: int
    directions: int
    gone: int = 0
    repeats: int = 3
    shares: tuple[int, int] | None = None

    @property
    def flower_shares(self) -> tuple[int, int]:
        """Flower's number of shares, one of them kept, and its threshold."""
        if self.shares is not None:
            return self.shares
        ours = parameters(self.clients, SecureSpec())
        return ours.neighbours + 1, ours.threshold


CASES = (
    *(Case(n, k) for n in (3, 10, 30) for k in (64, 4096)),
    Case(30, 64, gone=2),
    Case(30, 64, shares=FLOWER_EXAMPLE),
    *(Case(100, k, repeats=1) for k in (64, 4096)),
    Case(100, 64, shares=FLOWER_EXAMPLE),
)


def ours(group: Group, gone: frozenset[int], first: bool) -> Turn:
    """Return seconds of all clients, seconds of the server, and whether the sum is right."""
    ended, record = play(group, gone, before=stranger if first else acquainted)
    forget()
    started = process_time()
    for advert in group.adverts if first else ():
        decode_advert(encode_advert(advert)).verify(RUN)
    verified = process_time() - started
    again = serve(group, record.says)
    exact = is_exact(group, ended, gone) and is_exact(group, again, gone)
    return sum(record.seconds.values()), verified + again.seconds, exact


def flowers(group: Group, case: Case, gone: frozenset[int]) -> Turn:
    """Return the same of Flower, for the K integers of each vector."""
    from tools.secagg import flower

    vectors = group.vectors[:, : case.directions]
    shape = flower.Shape(case.clients, *case.flower_shares, BITS)
    found, clock = flower.play(shape, vectors, gone)
    exact = bool((found == plain_sum(group, gone)[: case.directions]).all())
    return clock.clients, clock.server, exact


def compare(case: Case) -> dict[str, Any]:
    """Return a row: seconds of processor time of both, and how many times more Flower's are.

    Returns:
        `ours`, `ours_later`, `flower`: `client_ms`, the mean of a client over the round;
        `server_ms`; `seconds` of the whole round; `exact`, whether the sum was right every time;
        how secrets are shared. `ratio`, `ratio_later`: Flower's seconds over ours.
    """
    group = group_of(case.clients, case.directions, BITS)
    gone = frozenset(range(case.gone))
    turns = [
        (ours(group, gone, True), ours(group, gone, False), flowers(group, case, gone))
        for _ in range(case.repeats)
    ]
    first, later, theirs = (_side(case, [turn[at] for turn in turns]) for at in range(3))
    numbers, (shares, threshold) = parameters(case.clients, group.spec), case.flower_shares
    mine = {"neighbours": numbers.neighbours, "threshold": numbers.threshold}
    return {
        "clients": case.clients,
        "directions": case.directions,
        "bits": BITS,
        "gone": case.gone,
        "ours": first | mine,
        "ours_later": later | mine,
        "flower": {**theirs, "neighbours": shares - 1, "threshold": threshold},
        "ratio": theirs["seconds"] / first["seconds"],
        "ratio_later": theirs["seconds"] / later["seconds"],
        "repeats": case.repeats,
        "versions": {name: version(name) for name in PACKAGES},
    }


def _side(case: Case, turns: Sequence[Turn]) -> dict[str, Any]:
    return {
        "client_ms": 1e3 * statistics.median(turn[0] for turn in turns) / case.clients,
        "server_ms": 1e3 * statistics.median(turn[1] for turn in turns),
        "seconds": statistics.median(turn[0] + turn[1] for turn in turns),
        "exact": all(turn[2] for turn in turns),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all cases and write them; 1 if a sum was wrong."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=FIGURES / "secagg_flower.json")
    parser.add_argument("--most", type=int, default=100, help="clients of the largest group")
    given = parser.parse_args(arguments)
    with figures(given.output) as rows:
        for case in CASES:
            if case.clients <= given.most:
                rows.append(compare(case))
                print(_line(rows[-1]), flush=True)
    return 0 if all(row[side]["exact"] for row in rows for side in SIDES) else 1


def _line(row: dict[str, Any]) -> str:
    sides = ", ".join(f"{name} {row[name]['seconds']:.3f} s" for name in SIDES)
    times = f"× {row['ratio']:.1f}, later × {row['ratio_later']:.1f}"
    return f"n {row['clients']}, K {row['directions']}: {sides}, {times}"


if __name__ == "__main__":
    sys.exit(main())
