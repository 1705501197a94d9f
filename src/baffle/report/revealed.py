"""What a run revealed to whom, in sentences made from its settings and its rounds."""

from __future__ import annotations

from dataclasses import dataclass

from baffle.baselines import BASELINES
from baffle.report.runs import Run
from baffle.secagg import SecureSpec, parameters

ONE_LIST = (
    ". At this size a server that tells clients different lists of survivors could learn more: "
    "deal clients to groups"
)
NOBODY = "nobody's data are promised anything: sums hold no noise"


@dataclass(frozen=True)
class Revealed:
    """Who learned what.

    Args:
        server: of single clients' reports.
        clients: each of the others.
        ledger: who reads the run folder.
        promise: differential privacy, or that there is none.
        hostile: what lying clients could do.
    """

    server: str
    clients: str
    ledger: str
    promise: str
    hostile: str

    def rows(self) -> list[tuple[str, str]]:
        """Return names and sentences."""
        return [
            ("the server", self.server),
            ("every client", self.clients),
            ("the run folder", self.ledger),
            ("privacy", self.promise),
            ("lying clients", self.hostile),
        ]


def revealed(run: Run) -> Revealed:
    """Return what a run revealed to whom, up to its last round."""
    if run.settings.algorithm in BASELINES:
        return _of_floats(run)
    return Revealed(_server(run), _clients(run), _ledger(run), _promise(run), _hostile(run))


def _of_floats(run: Run) -> Revealed:
    """Return what a baseline's run revealed: it protects nothing and keeps no ledger."""
    numbers = int(run.last("bytes_up_per_report") or 0) // 4
    return Revealed(
        f"every client's {numbers:,} floats a round, its mean loss; who took part",
        "the model after each round",
        "the model after the last round, and each round's figures",
        "nobody's data are promised anything: answers hold no noise",
        "one can send any floats at all; nothing bounds what it does to the mean",
    )


def _server(run: Run) -> str:
    settings = run.settings
    integers = f"{settings.probe.num_directions * settings.probe.num_local_steps:,} integers"
    if not settings.secure.sums:
        return (
            f"every report: {integers} a round that are projections of one client's gradient, its "
            "mean loss, how many were clipped; who took part"
        )
    known = list(run.known("smallest_sum"))
    if run.rows and not known:  # rows that were made anew after a crash do not say
        return f"sums of {integers} a round and their counts, of how many clients is not known"
    opened = (n for n in known if n)  # abandoned rounds have no sum
    least, groups = int(min(opened, default=0)), int(run.last("groups") or 1)
    if not least:
        return "no sum was opened; who was asked"
    s = settings.secure
    spec = SecureSpec(min(s.min_group, least), s.collusion, s.dropout, s.failure_bits)
    found = parameters(least, spec)
    many = f"{groups:,} sums a round" if groups > 1 else "one sum a round"
    return (
        f"{many} of {integers} and their counts, the smallest over {least:,} clients, and no "
        f"report, as long as no more than {found.colluders} of these work with it; who took part"
        + ("" if found.one_list else ONE_LIST)
    )


def _clients(run: Run) -> str:
    reports = int(min((n for n in run.known("reports") if n), default=0))
    own = run.settings.groups.directions == "own"
    fewest = reports // int(run.last("groups") or 1) if own else reports
    rest = f"the model, the directions, and each round's sums over {fewest:,} clients or more"
    if reports and fewest <= 1:
        rest = "the model, the directions, and each round's integers of single clients"
    return f"{rest}; from which it can take its own part"


def _ledger(run: Run) -> str:
    noise = ", noise included" if run.settings.privacy.unit != "none" else ""
    return f"each round's sums{noise}, who took part in it, and the model after it"


def _promise(run: Run) -> str:
    p, spent = run.settings.privacy, run.last("epsilon")
    if p.unit == "none":
        return NOBODY
    if spent is None:
        return f"ε of {p.epsilon:g} planned for one {p.unit}, and no round yet"
    return (
        f"({spent:.3g}, {p.delta:g})-differential privacy for one {p.unit}, of a budget of "
        f"ε = {p.epsilon:g}; against everyone, if no more members than assumed leave out noise"
    )


def _hostile(run: Run) -> str:
    settings = run.settings
    bits, rule = settings.quantisation.bits, settings.robust.rule
    reach = f"anything within {bits} bits a direction" if bits > 1 else "either sign a direction"
    if settings.secure.sums:
        reach = "any integers that fit into the sum, since nobody sees them"
    simulated = settings.hostile
    if simulated.share:
        reach += f"; {simulated.share:.0%} of the clients did, by {simulated.attack}"
    stopped = (
        "nothing else bounds what it does to the sum" if rule == "sum" else f"{rule} bounds it"
    )
    return f"one can claim {reach}; {stopped}"
