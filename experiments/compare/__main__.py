"""`python -m experiments.compare`: run what has no result yet."""

from __future__ import annotations

import sys

from experiments.compare.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
