"""Payload of a client in a steady round, by part, counted from messages.

    python -m tools.fleet.figures.bytes

Steady is a round in which the client lacks the round before and nothing else. Payload is what the
transport is given: the ask under its signature down, the answer up. FedAvg is given 4 bytes a
weight, both ways.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from baffle.fleet import Outgoing
from baffle.protocol import decode_plan
from baffle.protocol.codec import MAX_COUNT, REPORT_HEADER
from baffle.protocol.exchange import Ask, Reported, decode_answer, decode_ask
from baffle.protocol.exchange.answer import HEAD_BYTES
from baffle.protocol.exchange.ask import MAX_OUTCOME
from baffle.protocol.exchange.signed import ENVELOPE_BYTES
from baffle.protocol.packing import packed_size, width_for
from tools.fleet.figures.loopback import Clock, Loopback, client, config_of, opened, serving
from tools.fleet.figures.subjects import MLP, Subject
from tools.fleet.figures.writing import Row, figures, output

COHORTS = (3, 10, 100)
DIRECTIONS, ROUNDS = 64, 8
MOST_DOWN, MOST_UP = 768, 256
WEIGHT_BYTES, BITS = 4, 16
Sizes = dict[str, list[int]]


class Counter:
    """Counts the parts of a steady round's messages.

    Args:
        down, up: sizes by part, a number a message; "whole" is all of it.
    """

    def __init__(self) -> None:
        self.down: Sizes = defaultdict(list)
        self.up: Sizes = defaultdict(list)

    def __call__(self, message: Outgoing, answer: bytes) -> None:
        """Count a message and its answer, if they are a steady round's."""
        ask = decode_ask(message.parts[0][ENVELOPE_BYTES:])
        if ask.plan is None or len(ask.tail) != 1 or ask.snapshot or ask.genesis:
            return
        _add(self.down, _parts_down(message, ask), sum(map(len, message.parts)))
        _add(self.up, _parts_up(answer, ask), len(answer))


def _add(sizes: Sizes, parts: dict[str, int], whole: int) -> None:
    assert sum(parts.values()) == whole
    for name, size in {**parts, "whole": whole}.items():
        sizes[name].append(size)


def _parts_down(message: Outgoing, ask: Ask) -> dict[str, int]:
    assert ask.plan is not None
    (row,) = ask.tail
    known = {
        "signature": ENVELOPE_BYTES,
        "plan": len(ask.plan),
        "previous plan": len(row.plan),
        "outcome": len(row.outcome),
    }
    return {"header": sum(map(len, message.parts)) - sum(known.values()), **known}


def _parts_up(answer: bytes, ask: Ask) -> dict[str, int]:
    found = decode_answer(answer, ask.run)
    assert isinstance(found, Reported), found
    assert ask.plan is not None
    values = len(found.report) - REPORT_HEADER
    assert values >= decode_plan(ask.plan).count
    evaluation = len(answer) - HEAD_BYTES - len(found.report)
    return {
        "head": HEAD_BYTES,
        "report header": REPORT_HEADER,
        "values": values,
        "evaluation": evaluation,
    }


def count(subject: Subject, cohort: int, folder: Path, rounds: int = ROUNDS) -> Row:
    """Return the payload of a client a round.

    Every other round asks for an evaluation.

    Args:
        subject: model and data.
        cohort: clients, all asked in each round.
        folder: for the run.
        rounds: of it.

    Returns:
        `down` and `up` by part, medians in bytes, without the evaluation, which is `evaluation`;
        `most_down`, `most_up` of any message; `bound_down`, if all integers were as large as they
        can be; `fedavg`, bytes of the weights; `ratio_down`, `ratio_up` of FedAvg's bytes to the
        largest messages.
    """
    counter = Counter()
    transport = Loopback(counter)
    transport.guards = {
        100 + n: client(folder / f"client-{n}", 100 + n, n, subject) for n in range(cohort)
    }
    run = opened(folder / "run", subject, config_of(cohort, rounds, DIRECTIONS), evaluate_every=2)
    try:
        done = serving(run, transport, Clock()).serve()
        sent, came = run.coordinator.tally.bytes_down, run.coordinator.tally.bytes_up
    finally:
        run.close()
    assert done
    assert sum(counter.down["whole"]) < sent
    assert sum(counter.up["whole"]) < came
    return _row(subject, cohort, counter)


def _row(subject: Subject, cohort: int, counter: Counter) -> Row:
    down, up = (
        {name: statistics.median_low(sizes) for name, sizes in side.items()}
        for side in (counter.down, counter.up)
    )
    del up["evaluation"]
    fedavg = WEIGHT_BYTES * subject.parameters
    most_down, most_up = max(counter.down["whole"]), max(counter.up["whole"])
    return {
        "model": subject.name,
        "parameters": subject.parameters,
        "directions": DIRECTIONS,
        "cohort": cohort,
        "messages": len(counter.down["whole"]),
        "down": down,
        "up": up,
        "evaluation": max(counter.up["evaluation"]),
        "most_down": most_down,
        "most_up": most_up,
        "bound_down": down["whole"] - down["outcome"] + _outcome_bound(cohort),
        "fedavg": fedavg,
        "ratio_down": fedavg / most_down,
        "ratio_up": fedavg / most_up,
    }


def _outcome_bound(cohort: int) -> int:
    """Return the bytes of an outcome whose sums are of `cohort` integers at the quantiser's end."""
    largest = np.full(DIRECTIONS, cohort * (2 ** (BITS - 1) - 1))
    return MAX_OUTCOME - 8 * MAX_COUNT + packed_size(DIRECTIONS, width_for(largest))


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, write, and return 0 if nothing passes the targets."""
    file, _ = output("bytes", __doc__, arguments)
    with figures(file) as rows, tempfile.TemporaryDirectory(prefix="baffle-bytes-") as folder:
        for cohort in COHORTS:
            row = count(MLP, cohort, Path(folder) / str(cohort))
            print(f"{cohort} clients: {row['most_down']} down, {row['most_up']} up", flush=True)
            rows.append(row)
    good = all(r["most_down"] <= MOST_DOWN and r["most_up"] <= MOST_UP for r in rows)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
