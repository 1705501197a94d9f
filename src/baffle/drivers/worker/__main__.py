"""`python -m baffle.drivers.worker FOLDER`, with the worker's orders as JSON on standard input.

Also started as a file, so that it works wherever baffle was imported from: only the standard
library is needed before the import paths are those of the orders.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Read the orders and become the worker."""
    data = sys.stdin.buffer.read()
    sys.path[:] = json.loads(data)["paths"]

    from baffle.drivers.worker.serve import begin

    begin(sys.argv[1], data)


if __name__ == "__main__":
    main()
