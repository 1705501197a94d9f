"""What the chaos driver and the fuzzer found, as figures for the page.

    python -m tools.fleet.figures.hostile --chaos CHAOS.jsonl --fuzz FUZZ.jsonl --kills KILLS.json

The files are what `python -m tests.fleet.chaos --out`, `python -m tools.fuzz --out` and
`python -m tools.fleet.demo --output` wrote. Those not given are left as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tools.fleet.figures.writing import BENCHMARKS, Row, figures
from tools.fuzz import table

# What happened to a fleet, by the counters that tell of it: prefixes of their names.
HAPPENED = {
    "messages lost": ("network.lose.",),
    "messages doubled": ("network.double.",),
    "messages delayed": ("network.delay.",),
    "messages truncated, or with flipped bits": ("network.truncate.", "network.flip."),
    "messages forged": ("forged_", "lied_"),
    "servers killed": ("server.kill",),
    "rounds held up by a full disk": ("server.full_disk_refused",),
    "clients killed": ("node.kill_",),
    "clients gone, moved to another node": ("gremlin.leave", "gremlin.move"),
    "disks wiped, or set back": ("gremlin.wipe", "gremlin.revert"),
    "copies corrupted in memory": ("gremlin.corrupt",),
    "clients with broken losses": ("sick.",),
    "models or data changed": ("gremlin.model", "gremlin.data"),
    "rounds abandoned": ("round.abandoned",),
    "refused, or told of, by name": ("fault.",),
    "asks refused at the clients' guards": ("door.",),
    "reports computed again and compared": ("truth.re", "truth.same", "truth.other"),
}


def chaos(rows: Sequence[Row]) -> Row:
    """Return one row of all seeds."""
    counts = sum((Counter(row["counts"]) for row in rows), Counter[str]())
    happened = {
        name: sum(n for key, n in counts.items() if key.startswith(prefixes))
        for name, prefixes in HAPPENED.items()
    }
    return {
        "seeds": len(rows),
        "rounds": sum(row["rounds"] for row in rows),
        "clients": max(row["clients"] for row in rows),
        "failed": sum(bool(row["failure"]) for row in rows),
        "processor_seconds": sum(row["seconds"] for row in rows),
        "happened": happened,
        "faults": {
            key.removeprefix("fault."): n
            for key, n in sorted(counts.items())
            if key.startswith("fault.")
        },
    }


def fuzz(lines: Iterable[dict[str, Any]]) -> list[Row]:
    """Return one row a decoder."""
    return [dict(zip(table.HEAD, row, strict=True)) for row in table.rows(lines)]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the figures."""
    parser = argparse.ArgumentParser(prog="python -m tools.fleet.figures.hostile")
    parser.description = __doc__
    parser.add_argument("--chaos", type=Path)
    parser.add_argument("--fuzz", type=Path)
    parser.add_argument("--kills", type=Path, nargs="*", default=[])
    asked = parser.parse_args(arguments)
    if asked.chaos:
        with figures(BENCHMARKS / "fleet_chaos.json") as rows:
            rows.append(chaos(_lines(asked.chaos)))
    if asked.fuzz:
        with figures(BENCHMARKS / "fleet_fuzz.json") as rows:
            rows.extend(fuzz(_lines(asked.fuzz)))
    if asked.kills:
        with figures(BENCHMARKS / "fleet_kills.json") as rows:
            rows.extend(json.loads(path.read_text(encoding="utf-8")) for path in asked.kills)
    return 0


if __name__ == "__main__":
    sys.exit(main())
