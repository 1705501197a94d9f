"""Rounds behind a stored state, one appended after another: cheaper than the state each round.

    for each round: u32 length ‖ plan ‖ u32 length ‖ outcome

A power cut may leave the last one cut short. What is read is followed round by round, and each
plan names the digest that it goes on from, so whatever does not belong ends the reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from baffle.protocol.exchange import TailRow
from baffle.protocol.exchange.ask import MAX_OUTCOME, MAX_PLAN
from baffle.protocol.exchange.reader import Reader, sized


class TailFile:
    """The file.

    Args:
        path: of it; there need be none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, rows: Sequence[TailRow]) -> None:
        """Add rounds at the end.

        Raises:
            OSError: the disk would not take them.
        """
        with self._path.open("ab") as file:
            file.write(b"".join(sized(row.plan) + sized(row.outcome) for row in rows))

    def rows(self) -> Iterator[TailRow]:
        """Yield the rounds.

        Raises:
            DecodeError: after the last whole one, if something is left of another.
        """
        try:
            reader = Reader("tail", self._path.read_bytes())
        except FileNotFoundError:
            return
        while reader.left:
            plan = reader.sized("a plan", MAX_PLAN)
            yield TailRow(plan, reader.sized("an outcome", MAX_OUTCOME))

    def clear(self) -> None:
        """Forget all rounds."""
        self._path.unlink(missing_ok=True)
