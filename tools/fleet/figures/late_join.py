"""What it takes a client that was away, or never there, to come up to date: both ways.

    OPENBLAS_NUM_THREADS=1 python -m tools.fleet.figures.late_join

A run of 2,000 rounds stops after 1,000. Clients whose folders are as they were 1, 10, 100 and 500
rounds before, and one with an empty folder, are brought up to date by rounds and by a state. Then
one with an empty folder joins the run; the client that was there from the start leaves, and the run
goes on to its end with the new one.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from baffle.drivers.fleet.run import FleetRun
from baffle.drivers.local.metrics import Row as RoundRow
from baffle.fleet import FolderStore, Outgoing
from baffle.protocol.exchange import decode_ask
from baffle.protocol.exchange.signed import ENVELOPE_BYTES
from tools.fleet.figures.catching_up import Away, both_ways, copied
from tools.fleet.figures.loopback import Clock, Loopback, client, config_of, opened, serving
from tools.fleet.figures.subjects import LENET5, LINEAR, MLP, Subject
from tools.fleet.figures.writing import Row, figures, output

STEADY, NEW = 100, 101


@dataclass(frozen=True)
class Case:
    """A run and who comes to it.

    Args:
        subject: model and data.
        directions: K.
        rounds: of the run.
        join: after how many rounds clients come.
        absences: rounds that those missed who were there before.
    """

    subject: Subject
    directions: int
    rounds: int = 2000
    join: int = 1000
    absences: tuple[int, ...] = (1, 10, 100, 500)


CASES = (
    Case(MLP, 64),
    Case(MLP, 512),
    Case(LENET5, 64),
    Case(LENET5, 512),
    Case(LINEAR, 64, rounds=16, join=12, absences=(1, 10)),
)


class NotEqual(Exception):
    """A client that joined does not hold what the server holds."""


@dataclass
class Joining:
    """Looks at a newcomer's exchanges, and keeps the steady client's folders for those away.

    Args:
        case: the run.
        run: open.
        folder: where clients' folders lie.
        exchanges: that the newcomer needed after its greeting until it held the server's state.
        on_equal: called then.
    """

    case: Case
    run: FleetRun
    folder: Path
    exchanges: int = 0
    on_equal: Callable[[], object] = lambda: None
    _greeted: bool = field(default=False)
    _equal: bool = field(default=False)

    def keep(self, row: RoundRow) -> None:
        """Copy the steady client's folder where someone's absence begins."""
        held = int(row["round"]) - 1  # it answered on this state, and has not heard of the next
        if self.case.join - held in self.case.absences:
            copied(self.folder / "steady", self.away(self.case.join - held))

    def away(self, rounds: int) -> Path:
        """Return the folder of a client that missed rounds."""
        return self.folder / f"away-{rounds}"

    def watch(self, message: Outgoing, answer: bytes) -> None:
        """Compare the newcomer's state on its disk with the server's."""
        if message.node != NEW or self._equal:
            return
        if not self._greeted:
            assert decode_ask(message.parts[0][ENVELOPE_BYTES:]).plan is None
            self._greeted = True
            return
        self.exchanges += 1
        self._equal = self.holds("new")
        if self._equal:
            self.on_equal()

    def holds(self, name: str) -> bool:
        """Return whether a client's folder holds the server's state."""
        server = self.run.coordinator.server
        found = FolderStore(self.folder / name).load(server.run)
        if found is None or found[0].state is None:
            return False
        return found[0].state.digest() == server.digest


def play(case: Case, folder: Path) -> list[Row]:
    """Run a case and return a row for each who came, the newcomer last.

    Raises:
        NotEqual: someone needed more than one exchange, or does not end as the server does.
    """
    run = opened(folder / "run", case.subject, config_of(2, case.rounds, case.directions))
    try:
        return _played(case, run, folder)
    finally:
        run.close()


def _played(case: Case, run: FleetRun, folder: Path) -> list[Row]:
    look, clock = Joining(case, run, folder), Clock()
    transport = Loopback(look.watch)
    transport.guards[STEADY] = client(folder / "steady", STEADY, 0, case.subject)
    loop = serving(run, transport, clock)
    loop.on_row, loop.stop = look.keep, lambda: run.coordinator.server.state.round >= case.join
    loop.serve()
    who = [Away(case.subject, 0, look.away(n), n) for n in case.absences]
    who.append(Away(case.subject, 1, folder / "never", None))
    rows = [both_ways(run, away, folder / "scratch") for away in who]
    transport.guards[NEW] = client(folder / "new", NEW, 1, case.subject)
    look.on_equal = lambda: transport.guards.pop(STEADY)
    clock.sleep(2.0)  # until the server looks who is there
    loop.stop = lambda: False
    loop.serve()
    if look.exchanges != 1 or not look.holds("new"):
        raise NotEqual(
            f"{case.subject.name}: expected one exchange and the server's last state, got "
            f"{look.exchanges} and {'that' if look.holds('new') else 'another'} state"
        )
    about = {
        "model": case.subject.name,
        "parameters": case.subject.parameters,
        "directions": case.directions,
        "rounds": case.rounds,
        "joined": case.join,
    }
    rows[-1]["exchanges"] = look.exchanges
    return [{**about, **row} for row in rows]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write."""
    file, numbers = output("late_join", __doc__, arguments, range(len(CASES)))
    with figures(file) as rows:
        for case in (CASES[number] for number in numbers):
            with tempfile.TemporaryDirectory(prefix="baffle-late-join-") as folder:
                found = play(case, Path(folder))
            for row in found:
                print({k: v for k, v in row.items() if k != "ways"}, flush=True)
            rows.extend(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
