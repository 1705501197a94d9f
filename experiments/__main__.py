"""`python -m experiments NAME` runs what is missing of a study; see experiments/README.md.

A study that is not of runs has a `__main__.py` of its own, which is called instead.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy and torch read them: a run takes one core

from experiments.harness.command import main  # noqa: E402


def _own_command(arguments: list[str]) -> str | None:
    """Return the module of a study that is no list of runs and has a command of its own."""
    name = arguments[0] if arguments else ""
    own = name.isidentifier() and (Path(__file__).parent / name / "__main__.py").exists()
    return f"experiments.{name}" if own else None


if __name__ == "__main__":
    if own := _own_command(sys.argv[1:]):
        sys.argv[1:] = sys.argv[2:]
        runpy.run_module(own, run_name="__main__", alter_sys=True)
    else:
        sys.exit(main(sys.argv[1:]))
