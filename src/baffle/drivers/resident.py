"""A process's peak resident memory.

This imports the standard library alone, or asking would cost memory.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
# Gramine has no first one (and no getrusage): within an enclave all that is mapped is there.
PEAKS = ("VmHWM:", "VmPeak:")


def peak_mib() -> float:
    """Return this process's largest resident memory so far, in MiB."""
    lines = STATUS.read_text().splitlines() if STATUS.exists() else []
    said = dict(line.split()[:2] for line in lines if line.startswith(PEAKS))
    for name in PEAKS:
        if name in said:
            return int(said[name]) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
