"""Updates: summed integers and directions to new weights, exact. One row an optimiser."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from baffle.errors import ConfigError
from baffle.updates.adam import Adam
from baffle.updates.average import Average
from baffle.updates.chain import Chain
from baffle.updates.energies import Energies
from baffle.updates.l2 import L2
from baffle.updates.momentum import Momentum
from baffle.updates.ops import NUMPY, NumpyOps, Ops
from baffle.updates.parts import Part
from baffle.updates.state import TrainState

_LATER = ("energies", "stochastic")


@dataclass(frozen=True)
class UpdateSpec:
    """Everything that the way from estimate to weights depends on; part of the run's genesis.

    Args:
        optimiser: a row of OPTIMISERS.
        beta1, beta2, epsilon: momentum, second-moment decay, and the number added to its root.
        l2, decoupled_decay: regularisation before or beside the optimiser.
        average: decay of the weights' average; 0 for none.
        normalised: divide by the standard deviation of the summed scalars.
        energies: decay of the gradient's size by tensor, kept for radii by tensor; 0 for none.
        stochastic: int8 weights end each update on their grid, rounded stochastically.
    """

    optimiser: str = "adam"
    beta1: float = 0.9
    beta2: float = 0.99
    epsilon: float = 1e-8
    l2: float = 0.0
    decoupled_decay: float = 0.0
    average: float = 0.0
    normalised: bool = False
    energies: float = 0.0
    stochastic: bool = False

    def stated(self) -> dict[str, Any]:
        """Return the fields as a genesis states them: without what old runs did not have."""
        fields = dataclasses.asdict(self)
        return {n: v for n, v in fields.items() if n not in _LATER or v}

    def chain(self) -> Chain:
        """Return the chain of parts.

        Raises:
            ConfigError: no such optimiser.
        """
        if self.optimiser not in OPTIMISERS:
            raise ConfigError(
                f"optimiser must be one of {', '.join(OPTIMISERS)}, got {self.optimiser!r}"
            )
        parts = (L2(self.l2),) if self.l2 else ()
        average = Average(self.average) if self.average else None
        energies = Energies(self.energies) if self.energies else None
        parts = (*parts, *OPTIMISERS[self.optimiser](self))
        return Chain(parts, self.decoupled_decay, average, energies)


OPTIMISERS: dict[str, Callable[[UpdateSpec], tuple[Part, ...]]] = {
    "sgd": lambda spec: (),
    "momentum": lambda spec: (Momentum(spec.beta1),),
    "adam": lambda spec: (Adam(spec.beta1, spec.beta2, spec.epsilon),),
    "adam_by_tensor": lambda spec: (Adam(spec.beta1, spec.beta2, spec.epsilon, by_tensor=True),),
}

__all__ = ["NUMPY", "OPTIMISERS", "Chain", "NumpyOps", "Ops", "TrainState", "UpdateSpec"]
