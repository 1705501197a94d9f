"""The ledger: a run on disk, one row a round, chained, with snapshots. See docs/ledger.md.

The names load what they need when they are first used: a client keeps snapshots and no database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from baffle.lazily import lazily

if TYPE_CHECKING:
    from baffle.ledger.chain import Row, genesis_link, row_link
    from baffle.ledger.store import Ledger

_PLACES = {
    "Ledger": "baffle.ledger.store",
    "Row": "baffle.ledger.chain",
    "genesis_link": "baffle.ledger.chain",
    "row_link": "baffle.ledger.chain",
}


__getattr__ = lazily(__name__, _PLACES)

__all__ = ["Ledger", "Row", "genesis_link", "row_link"]
