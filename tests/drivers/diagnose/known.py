"""Figures of runs as they were measured on the digits: a healthy one, and what broken ones change.

The numbers are those of real runs (experiments/diagnosis), to two digits.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from baffle.config import resolve
from baffle.drivers.diagnose.figures import (
    Drift,
    Fidelity,
    Figures,
    Measured,
    Norm,
    Round,
    Travel,
)

FAR = Travel(5.1, 5.3, 5e-7)
D, K, ROUNDS = 4810, 512, 150
GOOD = Fidelity(own=0.99, full=0.99, best=-10, agreement=1.0, central=1.0)
ROUND = Round(
    number=1,
    loss=0.3,
    radius=2.0**-9,
    step=2.0**-13,
    bits=16,
    one_sided=True,
    pairs=True,
    clipped=0.002,
    nonfinite=0.0,
    rms=5000.0,
    odd=5000.0,
    even=80.0,
    zeros=0.0,
    gain=K / (K + D),
    directions=K,
)
MEASURED = Measured(
    before=GOOD,
    now=GOOD,
    drift=Drift(ratio=1.4, labels=9.2, classes=10, clients=10),
    entries=D,
    units={"act1": 0.0},
    averaged=1.0,
)


def losses(first: float, last: float, peak: float = 0.0) -> list[float]:
    """Return training losses from first to last, with one at its highest in between."""
    fall = [last + (first - last) * 0.97**r for r in range(ROUNDS)]
    return [fall[0], max(peak, fall[1]), *fall[2:]]


def rows(of: list[float], **over: Any) -> tuple[dict[str, Any], ...]:
    """Return metrics of rounds with these losses, with a cosine schedule's end."""
    row = {
        "abandoned": False,
        "reports": 5,
        "asked": 5,
        "expected_cosine": 0.2,
        "signal_to_noise": 0.16,
        "step_size": 0.03,
    } | over
    last = len(of)
    ended = {"step_size": 1e-6}
    return tuple(
        row | {"round": r, "loss": loss} | (ended if r == last else {})
        for r, loss in enumerate(of, start=1)
    )


def figures(
    settings: dict[str, Any] | None = None,
    losses_of: list[float] | None = None,
    row: dict[str, Any] | None = None,
    round_: dict[str, Any] | None = None,
    travel: Travel = FAR,
    measured: dict[str, Any] | None = {},  # noqa: B006
    **over: Any,
) -> Figures:
    """Return a healthy run's figures, but for what is given."""
    found = {
        "settings": resolve({"rounds": ROUNDS}, settings or {}),
        "rows": rows(losses_of or losses(2.3, 0.03), **(row or {})),
        "rounds": (dataclasses.replace(ROUND, **(round_ or {})),) * 20,
        "travel": travel,
        "dimension": D,
        "measured": None if measured is None else dataclasses.replace(MEASURED, **measured),
    }
    return Figures(**(found | over))


STUCK = losses(2.3, 2.25)
LARGE = Fidelity(own=0.01, full=0.01, best=-10, agreement=1.0, central=0.0)
NONE = Fidelity(own=0.0, full=0.0, best=-10, agreement=1.0, central=0.0)
HALF = Fidelity(own=0.01, full=0.99, best=-6, agreement=1.0, central=0.01)
OTHERS_DATA = Norm("1", fresh=False, shift=0.8, scale=1.2e-5)
BROKEN = {
    "radius": figures(
        {"probe": {"radius": 0.5}},
        losses(2.5, 2.36),
        round_={"radius": 0.5, "odd": 50.0, "even": 5000.0},
        travel=Travel(0.33, 1.05),
        measured={"before": LARGE, "now": LARGE},
    ),
    "radius, too small": figures(
        {"probe": {"radius": 2.0**-40}},
        STUCK,
        round_={"radius": 2.0**-40, "rms": 0.0, "odd": 0.0, "even": 0.0},
        measured={"before": NONE, "now": NONE},
    ),
    "step_size": figures(losses_of=losses(2.34, 1.63, peak=1500.0), travel=Travel(345.0, 345.0)),
    "step_size, too small": figures(losses_of=losses(2.31, 2.309), travel=Travel(0.002, 1.0)),
    "clipping": figures(losses_of=STUCK, round_={"clipped": 0.99}, travel=Travel(1e-4, 1.0)),
    "batch_norm": figures(
        losses_of=STUCK,
        measured={"norms": (OTHERS_DATA,), "now": dataclasses.replace(GOOD, own=0.6)},
    ),
    "directions": figures(
        {"probe": {"num_directions": 4, "pairs": 2}},
        losses(2.3, 2.0),
        row={"expected_cosine": 0.01},
        round_={"gain": 4 / (4 + D), "directions": 4},
    ),
    "precision": figures(
        {"engine": {"precision": "bfloat16"}},
        losses(2.3, 1.5),
        row={"expected_cosine": 0.08},
        round_={"radius": 2.0**-15, "even": 5000.0},
        measured={"before": HALF, "now": dataclasses.replace(HALF, own=0.05)},
    ),
    "drift": figures(
        {"federation": {"participation": 0.1}},
        losses(2.3, 1.9),
        row={"reports": 1, "asked": 1, "signal_to_noise": None},
        measured={"drift": Drift(ratio=31.0, labels=1.0, classes=10, clients=10)},
    ),
    "quantisation": figures(
        losses_of=losses(2.3, 1.2), round_={"rms": 0.05, "zeros": 0.91, "odd": 0.0, "even": 0.0}
    ),
}
