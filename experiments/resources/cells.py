"""What is measured: a family at a size, a batch, and a way to take part."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from baffle.bench.advise.given import Named
from baffle.bench.advise.trial import WAYS, Trial, words
from experiments.resources.models import SIDE, WIDTHS

HERE = "experiments/resources/models.py"
BATCHES = (1, 8, 64)
SECONDS = 0.4
# Too long for this study: a pass of so many multiply-adds, times what a trial does of them.
LEFT_OUT = {("conv", 7, 8), ("conv", 7, 64), ("conv", 6, 64)}


@dataclass(frozen=True)
class Cell:
    """One measurement, in a process of its own."""

    family: str
    exponent: int
    batch: int
    way: str

    @property
    def labels(self) -> dict[str, str | int]:
        """What tells it from others."""
        return asdict(self)

    @property
    def trial(self) -> Trial:
        """What to measure."""
        shape = (WIDTHS["mlp"][self.exponent],) if self.family == "mlp" else (3, SIDE, SIDE)
        named = Named(f"{HERE}:{self.family}_{self.exponent}", shape, 10)
        return Trial(named, self.way, self.batch, units=256, seconds=SECONDS)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of what is measured."""
        text = json.dumps(words(self.trial), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def cells() -> list[Cell]:
    """Return all cells: the middle batch after the others, small models first."""
    places = [
        (batch == BATCHES[1], exponent, family, batch)
        for family, widths in WIDTHS.items()
        for exponent in widths
        for batch in BATCHES
        if (family, exponent, batch) not in LEFT_OUT
    ]
    return [
        Cell(family, exponent, batch, way)
        for _, exponent, family, batch in sorted(places)
        for way in WAYS
    ]
