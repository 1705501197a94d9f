"""What a seed chooses. Each fault is on in some seeds only, so that rare mixtures come up too."""

from dataclasses import dataclass

from baffle.fleet import Pace

# name: how likely at the most, at each occasion (a message, a server's step, or a second).
MESSAGE = {
    "lose": 0.15, "double": 0.15, "delay": 0.1, "truncate": 0.06, "flip": 0.06, "chunk": 0.15,
}  # fmt: skip
ASKED = {"kill_before": 0.04, "kill_while": 0.06, "kill_after": 0.04}
STEP = {
    "kill_at_tick": 0.004, "kill_at_receive": 0.002, "kill_before_append": 0.03,
    "kill_after_append": 0.03, "kill_after_commit": 0.03, "kill_before_keeping": 0.003,
    "disk_full": 0.03, "prune": 0.08, "snapshot": 0.15,
}  # fmt: skip
SECOND = {
    "wipe": 0.03, "wipe_secret": 0.02, "revert": 0.05, "corrupt": 0.1, "sick": 0.05, "data": 0.02,
    "model": 0.02, "leave": 0.08, "move": 0.05, "failed": 0.04, "forge_up": 0.5, "forge_down": 0.3,
}  # fmt: skip
KINDS = {**MESSAGE, **ASKED, **STEP, **SECOND}
ON = 0.7
LEAST = 4  # clients in a round of secure sums, whose groups have 3 or more
STOLEN = 0.25  # else forged asks would not get past a client's guard, and what is behind it is idle


@dataclass(frozen=True)
class Scenario:
    """One seed's choices.

    Args:
        seed, rounds, roster: of the run.
        nodes: clients that there are; more than the roster in some seeds.
        cohort, min_reports, pace: of the server.
        claims: whether operators number their clients.
        calm: rounds at the end without any fault; 0: faults go on after the last round.
        odds: by kind of fault.
        pinned: share of clients whose operator gave them the server's key; others trust the first.
        stolen: whether those who forge asks have the server's key.
        recomputed: share of reports that are computed a second time, apart from the client.
        secure: whether reports go into secure sums.
    """

    seed: int
    rounds: int
    roster: int
    nodes: int
    cohort: int
    min_reports: int
    pace: Pace
    claims: bool
    calm: int
    odds: dict
    pinned: float
    stolen: bool
    recomputed: float
    secure: bool = False


def draw(rng, seed, rounds, roster, secure=False):
    surplus = rng.choice((-1, 0, 0, 0, 2))
    cohort = rng.randint(max(2, roster // 4), max(2, roster // 2))
    cohort = max(cohort, LEAST) if secure else cohort
    pace = Pace(
        deadline=rng.choice((4.0, 8.0, 20.0)),
        over_selection=rng.choice((0.0, 0.0, 0.3, 1.0)),
        min_clients=rng.choice((1, 1, 2, cohort)),
        gather=rng.choice((0.0, 5.0)),
        evaluate_every=rng.choice((0, 1, 5)),
        bytes_per_second=rng.choice((1e3, 1e5, 1e7)),
        greet_again=rng.choice((5.0, 15.0)),
        remind=rng.choice((0.0, 1.5, 5.0)),
        grace=rng.choice((0.0, 2.0, 20.0)),
    )
    level = rng.choice((0.3, 1.0, 1.0, 2.0))
    odds = {
        kind: level * most * rng.random() if rng.random() < ON else 0.0
        for kind, most in KINDS.items()
    }
    least, calm = rng.choice((1, 1, 2, 3)), rng.choice((0, 6, 6))
    pinned, stolen = rng.choice((0.0, 0.5, 1.0)), rng.random() < STOLEN
    again = rng.choice((0.0, 0.05, 0.05, 0.3))
    return Scenario(
        seed, rounds, roster, roster + surplus, cohort, least, pace,
        surplus <= 0 and rng.random() < 0.5, calm, odds, pinned, stolen, again, secure,
    )  # fmt: skip
