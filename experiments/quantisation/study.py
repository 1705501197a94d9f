"""What fewer bits an uploaded integer cost in accuracy: 16, 8, 4, 2 and 1, the sign."""

from __future__ import annotations

from pathlib import Path

from experiments.harness import Study, grid, keys
from experiments.quantisation import picture, tables

# Fixed, so that a cell repeats bit for bit on its machine; near the fastest for one thread.
ENGINE = {"threads": 1, "chunk": 64, "clients": 5}
BY_BITS = {bits: {"quantisation": {"bits": bits}} for bits in tables.BITS if bits != tables.AGAIN}
# The noise that all differences stand in: 16 bits once more, with losses of other last bits.
BY_BITS |= {tables.AGAIN: {"quantisation": {"bits": 16}, "engine": {"chunk": 32}}}

# What `baffle run` did by default when this ran: its step size is found by trials, for each cell.
PROBE = {"num_directions": 512, "batch": 32}
DIGITS = {"rounds": 300, "probe": PROBE, "engine": ENGINE}
# Larger data, a small model, one step size for all: what the trials found for key 0 at 16 bits.
MNIST = {
    "rounds": 1000,
    "data": {"name": "mnist", "options": {"size": 28}},
    "model": {"options": {"widths": [32]}},
    "update": {"step_size": 0.0147},
    "output": {"evaluate_every": 50},
    "probe": PROBE,
    "engine": ENGINE,
}

STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        *grid(DIGITS, data={"digits": {}}, key=keys(20), bits=BY_BITS),
        *grid(MNIST, data={"mnist": {}}, key=keys(5), bits=BY_BITS),
    ],
    tables={
        "quantisation-digits": tables.digits,
        "quantisation-mnist": tables.mnist,
        "quantisation-seconds": tables.seconds,
    },
    figures={"quantisation.png": picture.draw},
)
