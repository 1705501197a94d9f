"""Which part of a pretrained network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from baffle.models.lora import add_lora
from baffle.models.trained_part import train_only


@dataclass(frozen=True)
class Part:
    """A trained part.

    Args:
        train: patterns of parameters that are trained beside the adapters.
        adapt: patterns of layers that get an adapter.
        rank: of the adapters.
        down: whether their first factor is trained as well.
    """

    train: tuple[str, ...] = ()
    adapt: tuple[str, ...] = ()
    rank: int = 4
    down: bool = False

    def __call__(self, model: nn.Module, key: int) -> nn.Module:
        """Put the adapters in and freeze the rest, in place; returns the model."""
        adapters: tuple[str, ...] = ()
        if self.adapt:
            add_lora(model, self.rank, self.adapt, seed=key)
            adapters = tuple(
                f"*.{role}" for role, used in (("up", True), ("down", self.down)) if used
            )
        train_only(model, (*self.train, *adapters))
        return model


QUERIES = ("*.attention.q", "*.attention.v")
PARTS: Mapping[str, Mapping[str, Part]] = {
    "negatives": {
        "head": Part(train=("linear.*",)),
        "head, norms": Part(train=("linear.*", "layer3.*.bn*")),
        "head, LoRA B": Part(train=("linear.*",), adapt=("layer3.*",), rank=2),
        "last third": Part(train=("linear.*", "layer3.*")),
    },
    "mobilenet": {
        "head": Part(train=("head.*",)),
        "head, LoRA B": Part(train=("head.*",), adapt=("last.*",)),
    },
    "squeezenet": {"head": Part(train=("head.*",))},
    "plays": {
        "norms": Part(train=("*norm*",)),
        "LoRA": Part(adapt=QUERIES, down=True),
        "LoRA B": Part(adapt=QUERIES),
        "all": Part(train=("*",)),
    },
    "sst2": {
        "head": Part(train=("head.*",)),
        "head, LoRA B": Part(train=("head.*",), adapt=QUERIES),
    },
}
