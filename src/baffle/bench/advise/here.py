"""Trials of a module that is there already, in this process: another one could not be given it.

Memory is how far the process grows beyond where it stood, after the C library has given back what
it had kept; what a fresh process holds before any model comes from one.
"""

from __future__ import annotations

import copy
import ctypes
import gc
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from baffle.bench.advise.given import Given, Named
from baffle.bench.advise.processes import trials
from baffle.bench.advise.trial import Trial, load, measured, resident_mib
from baffle.errors import ConfigError

CLEAR = Path("/proc/self/clear_refs")
PEAK = "5"  # what resets the peak, see proc(5)


def in_this_process(trial: Trial, given: Given) -> dict[str, Any]:
    """Return what `trial.measure` does, of a copy of a module.

    Args:
        trial: `named` is not looked up.
        given: what to measure; it is left as it is.

    Raises:
        ConfigError: the system does not let a process forget its peak.
    """
    import torch

    if not CLEAR.exists():
        raise ConfigError(
            "the memory of a module in this process can be measured on Linux only: name the model "
            "as file.py:name instead, for a process of its own"
        )
    load(trial.way)
    before, threads = _fresh_peak(), torch.get_num_threads()
    torch.set_num_threads(trial.threads)
    try:
        own = replace(given, module=copy.deepcopy(given.module).eval())
        found = measured(trial, own, before)
    finally:
        torch.set_num_threads(threads)
    runtime = _runtime(trial.way)
    return {**found, "runtime_mib": runtime, "peak_mib": found["peak_mib"] - before + runtime}


def _fresh_peak() -> float:
    """Forget the peak and return what is resident now, in MiB."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
    CLEAR.write_text(PEAK)
    return resident_mib()


@cache
def _runtime(way: str) -> float:
    """Return what a fresh process holds before a model is there, in MiB."""
    tiny = Trial(Named("linear", (1,), 2), way, 1, units=8, seconds=0.0, exact=True)
    with trials() as running:
        return float(running.measure(tiny)["runtime_mib"])
