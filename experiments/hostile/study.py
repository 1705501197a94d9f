"""What a fifth of hostile clients does to each rule, and to rules over secure groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.harness import Study, grid, keys
from experiments.hostile import picture, shares, tables

Over = dict[str, Any]
# A small model, and few examples a probe, so that many runs are affordable.
BASE = {
    "model": {"options": {"widths": [32]}},
    "update": {"step_size": 0.02},
    "output": {"evaluate_every": 20},
}
REPORTS = BASE | {
    "rounds": 80,
    "federation": {"clients": 20, "participation": 1.0},
    "probe": {"batch": 8, "num_directions": 256},
    "engine": {"threads": 1, "chunk": 128, "clients": 20},
}
LONG = REPORTS | {"rounds": 240, "output": {"evaluate_every": 60}}
GROUPS = BASE | {
    "rounds": 60,
    "federation": {"clients": 30, "participation": 1.0},
    "probe": {"batch": 8, "num_directions": 128},
    "groups": {"number": 10, "directions": "shared"},
    "secure": {"sums": True, "min_group": 3, "simulate": "sum"},
    "engine": {"threads": 1, "chunk": 256, "clients": 20},
}
# Three liars can sit in three groups: so many a trimmed mean of ten sums has to leave out.
TRIMMED_GROUPS = {"robust": {"rule": "trimmed_mean", "share": 0.3}}


def attacked(share: float, attack: str) -> Over:
    """Return settings of so many hostile clients."""
    strength = {"alie": {"strength": 1.5}}.get(attack, {})
    return {"hostile": {"share": share, "attack": attack, **strength}}


ATTACKS: dict[str, Over] = {
    shares.CLEAN: {},
    **{name: attacked(0.2, name) for name in shares.ATTACKS},
}
LONG_ATTACKS = {name: ATTACKS[name] for name in shares.LONG_ATTACKS}
RULES = {name: {"robust": {"rule": name}} for name in shares.RULES}
LIARS: dict[str, Over] = {shares.CLEAN: {}} | {
    f"{share:g} {attack}": attacked(share, attack)
    for attack in ("sign_flip", "scaling")
    for share in (0.1, 0.2)
}
GROUP_RULES: dict[str, Over] = {
    "sum": {},
    "median": {"robust": {"rule": "median"}},
    "trimmed_mean": TRIMMED_GROUPS,
}

STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        *grid(REPORTS, key=keys(3), over={"reports": {}}, attack=ATTACKS, rule=RULES),
        *grid(LONG, key=keys(3), over={"long": {}}, attack=LONG_ATTACKS, rule=RULES),
        *grid(GROUPS, key=keys(3), over={"groups": {}}, attack=LIARS, rule=GROUP_RULES),
    ],
    tables={
        "hostile-reports": tables.reports,
        "hostile-long": tables.long,
        "hostile-groups": tables.groups,
    },
    figures={"hostile.png": picture.draw},
)
