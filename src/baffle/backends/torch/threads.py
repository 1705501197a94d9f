"""The number of threads that torch computes with, for the time of a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def using_threads(threads: int) -> Iterator[None]:
    """Compute with this many threads inside the block and restore the number after it; 0: as is."""
    before = torch.get_num_threads()
    if threads in (0, before):
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
