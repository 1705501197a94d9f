"""Processor time and bytes of secure sums: one client over a whole round, and the server.

A real group of n clients with keys of its own sums vectors of K integers and the counters that go
with them. Some clients' rounds are then played again and timed, wallets read and written included:
once as in the first round of a process, nothing known of anyone, and once as in a later one, where
the static parts of the other members' adverts have been verified before.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np

from baffle.bench.secure_round import (
    RUN,
    STAGES,
    Differs,
    Ended,
    Group,
    Recorded,
    acquainted,
    forget,
    is_exact,
    play,
    serve,
    step,
    stranger,
)
from baffle.errors import ConfigError
from baffle.protocol import Plan, encode_plan
from baffle.protocol.codec import report_size
from baffle.protocol.contribution import Form
from baffle.secagg import Parameters, SecureSpec, parameters

Say = Callable[[str], None]
CLIENTS = (10, 100, 1_000)
EXCHANGES = 2  # a round's share answer rides with the answer that opens the round before it
VECTOR_SEED = 0


@dataclass(frozen=True)
class SecaggOptions:
    """What is summed, and how to measure.

    Args:
        clients: sizes of the groups, each from 3.
        directions: K, integers a report.
        bits: of an integer.
        repeats: of which the median counts.
        sample: how many clients of a group are timed.
        gone: share of the clients who fall silent before their masked vector in the second row.

    Raises:
        ConfigError: a number is out of range.
    """

    clients: Sequence[int] = CLIENTS
    directions: int = 64
    bits: int = 16
    repeats: int = 9
    sample: int = 5
    gone: float = 0.05

    def __post_init__(self) -> None:
        least = SecureSpec().min_group
        for size in self.clients:
            if not least <= size <= 10_000:
                raise ConfigError(f"--clients must lie in {least} to 10,000, got {size}")
        for name, low, high in (("directions", 1, 2**16), ("repeats", 1, 1_000)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(
                    f"--{name} must lie in {low} to {high:,}, got {getattr(self, name)}"
                )

    def absences(self, members: int) -> list[int]:
        """Return how many clients are gone in each row of a group: none, and some if it bears it.

        Example:
            >>> SecaggOptions().absences(100), SecaggOptions().absences(3)
            ([0, 5], [0])
        """
        some = min(math.ceil(self.gone * members), members - _numbers(members).least)
        return [0, some] if some else [0]


def plan_of(directions: int, bits: int) -> Plan:
    """Return a plan as a run's first round has it, weights of 1."""
    return Plan(
        run=RUN, round=0, key=1, digest=bytes(32), num_directions=directions, num_local_steps=1,
        kind_code=0, density_steps=65536, estimator_code=0, pairs=0, radius_exponent=-9,
        scale_exponents=(), step_exponent=-12, bits=bits, batch=32, weighting="uniform",
        weight_cap=1, step_size=0.01, local_factor=0.0,
    )  # fmt: skip


def group_of(members: int, directions: int, bits: int) -> Group:
    """Return a group with random vectors within their bounds."""
    spec, plan = SecureSpec(), plan_of(directions, bits)
    lanes = Form(plan, None, parameters(members, spec)).lanes
    generator = np.random.default_rng(VECTOR_SEED)
    parts = [
        generator.integers(-block.bound, block.bound, (members, block.count), endpoint=True)
        for block in lanes.blocks
    ]
    return Group.of(spec, encode_plan(plan), lanes, np.concatenate(parts, axis=1))


def secagg(options: SecaggOptions, say: Say = lambda text: None) -> Iterator[dict[str, Any]]:
    """Yield rows of each group: everyone stays; some fall silent before their masked vectors.

    Returns:
        Rows as JSON. `client_ms`: processor time of one client over the three stages of a round
        after its first, the median; `client_ms_worst`: the slowest client timed; `first_ms`,
        `first_ms_worst`: the same with nothing cached, every signature verified; `stages_ms`: of
        `client_ms`, by stage. `server_ms`: of the server, without verifying adverts.
        `bytes_up`, `bytes_down`: of all secure messages of one client in a round, the most of any;
        `up`, `down`: by stage. `report_bytes`: of the same report in the clear. `exact`: whether
        the round came to the plain sum. `neighbours`, `threshold`, `least`, `exchanges`, `gone`,
        `wallet_bytes`.
    """
    for members in options.clients:
        say(f"{members:,} clients: a round")
        group = group_of(members, options.directions, options.bits)
        record: Recorded | None = None
        for count in options.absences(members):
            gone = frozenset(range(count))
            ended, record = play(group, gone, record)
            yield _row(group, options, ended, record, gone, say)


def _row(
    group: Group, options: SecaggOptions, ended: Ended, record: Recorded, gone: frozenset[int],
    say: Say,
) -> dict[str, Any]:  # fmt: skip
    members = len(group.vectors)
    numbers = _numbers(members)
    say(f"{members:,} clients, {len(gone)} gone: timing")
    return {
        "clients": members,
        "gone": len(gone),
        "directions": options.directions,
        "bits": options.bits,
        "neighbours": numbers.neighbours,
        "threshold": numbers.threshold,
        "least": numbers.least,
        "exchanges": EXCHANGES,
        **_client(group, options, record, [n for n in range(members) if n not in gone]),
        "server_ms": 1e3 * _server(group, options, record),
        **_bytes(ended),
        "wallet_bytes": max(map(len, record.stored.values())),
        "report_bytes": report_size(options.directions, options.bits),
        "exact": is_exact(group, ended, gone),
        "repeats": options.repeats,
    }


def _numbers(members: int) -> Parameters:
    return parameters(members, SecureSpec())


def _client(
    group: Group, options: SecaggOptions, record: Recorded, numbers: Sequence[int]
) -> dict[str, Any]:
    """Return milliseconds of some clients' rounds, in a process's first round and in later ones."""
    every = max(1, len(numbers) // options.sample)
    sample = numbers[::every][: options.sample]
    first, later = [], []
    for number in sample:
        turns = [
            (timed(group, number, record, stranger), timed(group, number, record, acquainted))
            for _ in range(options.repeats)
        ]
        first.append(statistics.median(sum(cold) for cold, _ in turns))
        later.append(np.median([warm for _, warm in turns], axis=0))
    whole = [float(stages.sum()) for stages in later]
    stages = 1e3 * np.median(later, axis=0)
    return {
        "client_ms": 1e3 * statistics.median(whole),
        "client_ms_worst": 1e3 * max(whole),
        "first_ms": 1e3 * statistics.median(first),
        "first_ms_worst": 1e3 * max(first),
        "stages_ms": dict(zip(STAGES, stages.tolist(), strict=True)),
        "sample": len(sample),
    }


def timed(
    group: Group, number: int, record: Recorded, before: Callable[[Group, int], None]
) -> list[float]:
    """Return seconds of processor time of a client's three stages.

    Args:
        group: of the round.
        number: of the client.
        record: what it was asked, and what it must answer.
        before: `stranger` or `acquainted`.

    Raises:
        Differs: it answers otherwise than in the round.
    """
    before(group, number)
    stored, seconds = group.wallets[number], []
    for stage in STAGES:
        ask = record.asks[stage, number]
        started = process_time()
        stored, answer = step(group, number, stored, stage, ask)
        seconds.append(process_time() - started)
        if answer != record.answers[stage, number]:
            raise Differs(
                f"client {number}, {stage}: expected its answer in the round, got another"
            )
    return seconds


def _server(group: Group, options: SecaggOptions, record: Recorded) -> float:
    """Return seconds of the server's side, on what the clients have said."""
    seconds = []
    for _ in range(options.repeats):
        forget()
        seconds.append(serve(group, record.says).seconds)
    return statistics.median(seconds)


def _bytes(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, sizes in (("up", ended.up), ("down", ended.down)):
        last = sizes["unmask"]
        found[f"bytes_{name}"] = max(sum(sizes[stage][n] for stage in STAGES) for n in last)
        found[name] = {stage: max(sizes[stage].values()) for stage in STAGES}
    return found
