"""The ledger: a run on disk, one row a round, chained, with snapshots. See docs/ledger.md."""

from __future__ import annotations

from baffle.ledger.chain import Row, genesis_link, row_link
from baffle.ledger.store import Ledger

__all__ = ["Ledger", "Row", "genesis_link", "row_link"]
