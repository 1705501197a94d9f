"""The decoders by name. A place in the table is part of a block's key: append only."""

from __future__ import annotations

from tools.fuzz.binary import Outcomes, Participants, Plans, Reports
from tools.fuzz.enrolling import Enrolleds, Enrolments, Tokens
from tools.fuzz.exchange import Answers, Asks
from tools.fuzz.exports import Exports
from tools.fuzz.gateway import Bodies, Refusals, Requests
from tools.fuzz.jsons import Geneses, Rosters
from tools.fuzz.rows import Rows
from tools.fuzz.secagg import Adverts, ShareAsks, Wallets
from tools.fuzz.signed import Signed
from tools.fuzz.snapshots import Snapshots
from tools.fuzz.tail import Tails
from tools.fuzz.target import Target

ALL: tuple[type[Target], ...] = (
    Plans, Reports, Outcomes, Participants, Asks, Answers, Geneses, Rosters, Snapshots, Tails, Rows,
    Signed, Adverts, ShareAsks, Wallets, Bodies, Requests, Refusals, Tokens, Enrolments, Enrolleds,
    Exports,
)  # fmt: skip
TARGETS = {target.name: target for target in ALL}


def code(name: str) -> int:
    """Return a decoder's place in the table."""
    return list(TARGETS).index(name)
