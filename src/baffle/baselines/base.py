"""What a baseline is: a client's arithmetic on floats, and what it sends. No ledger, no integers.

A round is the same for all: each asked client answers with a vector of d floats, the server takes
their weighted mean and makes a step of it. `Answer.floats_up` says what would cross the network,
which is less than the vector where a seed and a few scalars tell it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from baffle.baselines.problem import Problem

Batch = tuple[Any, Any]


@dataclass(frozen=True)
class Knobs:
    """The settings that baselines look at, under the names that they have for `baffle` too.

    Args:
        num_directions: K, directions a local step.
        num_local_steps: H, local steps a round.
        radius: in parameter units.
        directions: kind, where a baseline offers several.
    """

    num_directions: int = 1
    num_local_steps: int = 1
    radius: float = 1e-3
    directions: str = "gaussian"


@dataclass(frozen=True)
class Work:
    """One client's part of one round.

    Args:
        weights: float32 [d], what the server sent.
        batch: local step to (inputs, targets), the same at every call.
        generator: local step to a fresh generator, the client's own.
        step_size: of this round, for the steps that clients take themselves.
    """

    weights: Tensor
    batch: Callable[[int], Batch]
    generator: Callable[[int], Generator]
    step_size: float


@dataclass(frozen=True)
class Answer:
    """What a client's part of a round came to.

    Args:
        vector: float32 [d], an estimate for the server to step against, or the change of the
            client's own weights.
        loss: mean training loss before the client's first step, or over its steps.
        probes: losses evaluated, one a forward pass of a batch.
        example_evaluations: examples that went forward through the model, once a pass.
        gradient_examples: examples that autodiff took a derivative at, once a pass, backward or
            forward mode; 0 for what needs no autodiff.
        floats_up: numbers of four bytes that it sends.
    """

    vector: Tensor
    loss: float
    probes: int
    example_evaluations: int
    gradient_examples: int
    floats_up: int


class Baseline(Protocol):
    """A row of BASELINES, made from the knobs.

    `follows` says that whoever saw the last round's answers can make its step alone, so that nobody
    needs the weights sent again.
    """

    follows: ClassVar[bool]

    def client(self, problem: Problem, work: Work) -> Answer:
        """Return a client's answer to one round."""
        ...


SERVER, CLIENTS = "server", "clients"
EACH_ROUND, EACH_EPOCH = "round", "epoch"
