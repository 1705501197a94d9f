"""Ways to evaluate rows that are timed side by side. One row a side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from baffle.bench.sides.inference import Inference
from baffle.bench.sides.perturbed import RandnLoop, Vmap
from baffle.bench.sides.probes import Probes
from baffle.bench.sides.training import Training
from baffle.bench.sides.work import Case, Setting, Side, Work, case_of

__all__ = ["BASE", "SIDES", "Case", "Probes", "Setting", "Side", "Work", "case_of"]

BASE = "inference"
SIDES: Mapping[str, Callable[[Case], Side]] = {
    BASE: Inference,
    "ours": Probes,
    "ours_shared": partial(Probes, shared=True),
    "randn_loop": RandnLoop,
    "vmap": Vmap,
    "backward": Training,
    "backward_at_batch": partial(Training, at_batch=True),
    "checkpointed": partial(Training, checkpointed=True),
}
