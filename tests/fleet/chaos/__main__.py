"""Many seeds, in several processes; finished ones are kept in a file and not run again."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.fleet.chaos import table
from tests.fleet.chaos.many import command, finished, run


def main():
    parser = argparse.ArgumentParser(prog="tests.fleet.chaos", description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--secure", action="store_true", help="with secure sums")
    parser.add_argument("--covered", action="store_true", help="require that everything happened")
    chosen = parser.parse_args()
    shape = chosen.rounds, chosen.clients, chosen.secure
    rows = finished(chosen.out, *shape) if chosen.out else {}
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    todo = [(seed, *shape) for seed in seeds if seed not in rows]
    for row in run(todo, chosen.jobs, chosen.out):
        rows[row["seed"]] = row
    lacking = table.missing_of_secure if chosen.secure else table.missing
    return report([rows[seed] for seed in seeds], chosen.covered, lacking)


def report(rows, covered, missing=table.missing):
    """Print the summary; returns 1 if a seed failed."""
    counts = sum((Counter(row["counts"]) for row in rows), Counter())
    failed = [row for row in rows if row["failure"]]
    lacking = missing(counts)
    print(table.text(counts))
    print(
        f"{len(rows)} seeds, {sum(row['rounds'] for row in rows)} rounds, "
        f"{sum(row['seconds'] for row in rows):.0f} s of processor, {len(failed)} failed"
    )
    print(f"never happened: {', '.join(lacking) or 'nothing'}")
    for row in failed:
        print(f"FAILED {row['failure']}\n  {command(row)}")
    return int(bool(failed) or (covered and bool(lacking)))


if __name__ == "__main__":
    sys.exit(main())
