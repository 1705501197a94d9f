"""Python's own pauses, made rare: its collector looks through all that lives, connections included.

With torch loaded and 2,000 devices connected one full look takes 0.1 to 0.3 s, in which nobody is
answered (measured by `tools/gateway/load.py`), and it comes every few seconds. What is there at the
start is never garbage, so it is left out; young objects are looked through as before, all of them
seldom.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (10_000, 20, 200)  # CPython's are 700, 10, 10


@contextmanager
def rare_pauses() -> Iterator[None]:
    """Let the collector stop this process seldom, for as long as a gateway serves."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
