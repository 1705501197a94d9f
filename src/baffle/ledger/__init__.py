"""The ledger: a run on disk, one row a round, chained, with snapshots. See docs/ledger.md.

The names load what they need when they are first used: a client keeps snapshots and no database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baffle.ledger.chain import Row, genesis_link, row_link
    from baffle.ledger.store import Ledger

_PLACES = {
    "Ledger": "baffle.ledger.store",
    "Row": "baffle.ledger.chain",
    "genesis_link": "baffle.ledger.chain",
    "row_link": "baffle.ledger.chain",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'baffle.ledger' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


__all__ = ["Ledger", "Row", "genesis_link", "row_link"]
