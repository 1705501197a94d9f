"""Put what follows from the code into docs/privacy.md: `python tools/privacy.py [--check]`.

Each table stands between `<!-- NAME -->` and `<!-- end -->`. Nothing here is measured: the numbers
of a secure sum, the noise that a budget allows, and how many groups are free of liars are functions
of their settings. With --check nothing is written, and a page that says something else is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from baffle.privacy import noise_multiplier_for
from baffle.protocol import Plan
from baffle.protocol.contribution import Form
from baffle.secagg import Parameters, SecureSpec, parameters
from tools.performance import table

PAGE = Path(__file__).resolve().parent.parent / "docs" / "privacy.md"
MEMBERS = (3, 5, 10, 30, 100, 300, 1000)
PLAN = Plan(
    run=bytes(16), round=0, key=0, digest=bytes(32), num_directions=64, num_local_steps=1,
    kind_code=0, density_steps=2**16, estimator_code=2, pairs=8, radius_exponent=-9,
    scale_exponents=(), step_exponent=-12, bits=16, batch=32, weighting="uniform", weight_cap=1,
    step_size=0.02, local_factor=0.0,
)  # fmt: skip


def bytes_up(found: Parameters, vector: int) -> int:
    """Return the bytes of one client's three answers when nobody is gone.

    Args:
        found: numbers of its group.
        vector: bytes of the packed vector.
    """
    k = found.neighbours
    share = 2 + 8 + 32 + 32 + 80 * k
    unmask = 2 + 8 + (16 + 16) * k + 32 * k + 16
    return share + 2 + 8 + vector + unmask


def numbers() -> str:
    """Return what groups of some sizes use, at the default settings."""
    heads = ["clients n", "neighbours k", "threshold t", "opened from", "may collude"]
    heads += ["chance of failure", "one list", "up, K = 64"]
    return table(heads, map(_group, MEMBERS))


def _group(members: int) -> list[str]:
    found = parameters(members, SecureSpec())
    vector = Form(PLAN, None, found).lanes.size(members)
    chance = "0" if found.complete else f"2^-{found.failure_bits}"
    counts = (found.neighbours, found.threshold, found.least, found.colluders)
    told = "yes" if found.one_list else "no"
    up = f"{bytes_up(found, vector) / 1000:.1f} kB"
    return [f"{members:,}", *map(str, counts), chance, told, up]


def noise() -> str:
    """Return noise multipliers by budget and participations, at δ = 1e-5."""
    budgets = (8.0, 4.0, 2.0, 1.0)
    rows = []
    for rounds in (10, 100, 1000):
        found = [noise_multiplier_for(e, 1e-5, rounds) for e in budgets]
        sampled = [noise_multiplier_for(e, 1e-5, rounds, 0.01) for e in budgets]
        both = zip(found, sampled, strict=True)
        rows.append([f"{rounds:,}", *(f"{a:.2f} / {b:.2f}" for a, b in both)])
    return table(["rounds of one client", *(f"ε = {e:g}" for e in budgets)], rows)


def clean() -> str:
    """Return the share of groups without a liar, by group size and hostile share."""
    shares = (0.02, 0.05, 0.1, 0.2)
    rows = [
        [str(g), *(f"{100 * (1 - h) ** g:.0f} %" for h in shares)] for g in (1, 2, 3, 5, 10, 20)
    ]
    return table(["clients a group", *(f"{100 * h:g} % hostile" for h in shares)], rows)


TABLES: dict[str, Callable[[], str]] = {"numbers": numbers, "noise": noise, "clean": clean}


def filled(page: str) -> str:
    """Return a page with its tables made anew."""
    for name, make in TABLES.items():
        start = f"<!-- {name} -->\n"
        if page.count(start) != 1:
            raise ValueError(f"{PAGE.name}: expected one place for the table {name}")
        before, _, rest = page.partition(start)
        page = f"{before}{start}\n{make()}\n\n{rest[rest.index('<!-- end -->') :]}"
    return page


def main(check: bool) -> int:
    """Write the page, or compare; 0 if all is well."""
    page = PAGE.read_text(encoding="utf-8")
    made = filled(page)
    if check:
        if page != made:
            print(f"{PAGE.name}: a table is not what the code says; run python tools/privacy.py")
        return int(page != made)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
