"""`python -m tools.fuzz`: see the package."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.fuzz import table
from tools.fuzz.jobs import blocks, done, run_all
from tools.fuzz.registry import TARGETS


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("python -m tools.fuzz", description="Hostile bytes.")
    names = ("all", *TARGETS)
    parser.add_argument("--decoder", nargs="+", default=["all"], choices=names)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="to each decoder")
    parser.add_argument("--key", type=int, default=0, help="equal keys give equal inputs")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, required=True, help="finished blocks, one JSON a line")
    parser.add_argument("--table", action="store_true", help="only print what the file holds")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run what is left to run, print the table; 1 if anything failed."""
    options = parsed(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that its processes end with it
    decoders = list(TARGETS) if "all" in options.decoder else options.decoder
    wanted = list(blocks(decoders, options.key, options.inputs))
    if not options.table:
        for line in run_all(wanted, options.out, options.jobs):
            for failure in line["failures"]:
                print(f"{line['decoder']} block {line['number']}: {failure}", flush=True)
    lines = [line for line in done(options.out) if line["key"] == options.key]
    print(table.text(table.rows(lines)))
    return 1 if any(line["failed"] for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
