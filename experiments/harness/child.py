"""A process that runs one cell: python -m experiments.harness.child MODULE CELL FILE."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.harness.ending import end_cleanly
from experiments.harness.study import load
from experiments.harness.work import work


def main(arguments: Sequence[str]) -> int:
    """Run the cell and write its line into the file."""
    end_cleanly()
    module, wanted, out = arguments
    study = load(module)
    cell = next(cell for cell in study.cells if cell.id == wanted)
    Path(out).write_text(json.dumps(work(study, cell), allow_nan=False), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
