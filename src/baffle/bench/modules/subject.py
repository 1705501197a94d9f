"""What is measured: a module, batches for it, its loss, and how it is checkpointed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from baffle.models.checkpointing import Twice

SEED = 0


@dataclass(frozen=True)
class Subject:
    """A module to measure.

    Args:
        name: as on the command line.
        about: its size and its inputs, in a line.
        build: to the module, from torch's random state.
        batch: (examples, generator) to (inputs, targets), on the CPU.
        loss: (output, targets) to the scalar mean.
        batches: examples a batch, for `throughput`.
        blocks: module to the parts that a checkpointed step computes twice.
        memory_batch: examples a batch for `memory`; 0 to leave it out.
        dtype: of weights and float inputs.
        devices: where it is measured unless named.
    """

    name: str
    about: str
    build: Callable[[], nn.Module]
    batch: Callable[[int, torch.Generator], tuple[Any, Any]]
    loss: Callable[[Any, Any], Tensor]
    batches: tuple[int, ...]
    blocks: Callable[[nn.Module], Sequence[nn.Module]]
    memory_batch: int = 0
    dtype: torch.dtype = torch.float32
    devices: tuple[str, ...] = ("cpu",)


def module_of(subject: Subject, device: str = "cpu", seed: int = SEED) -> nn.Module:
    """Return the module in eval mode, initialised from a seed; torch's random state is kept."""
    used = [torch.cuda.current_device()] if device == "cuda" else []
    with torch.random.fork_rng(devices=used), torch.device(device):
        torch.manual_seed(seed)
        module = subject.build()
    return module.to(device, subject.dtype).eval()


def batch_of(subject: Subject, examples: int, device: str = "cpu") -> tuple[Any, Any]:
    """Return (inputs, targets) from a fixed seed."""
    inputs, targets = subject.batch(examples, torch.Generator().manual_seed(SEED))
    if inputs.is_floating_point():
        inputs = inputs.to(subject.dtype)
    return inputs.to(device), targets.to(device)


def checkpoint_blocks(subject: Subject, module: nn.Module) -> Sequence[nn.Module]:
    """Make a module compute its blocks twice instead of keeping their activations, in place.

    Returns:
        The blocks.
    """
    blocks = subject.blocks(module)
    for block in blocks:
        block.forward = Twice(block.forward)  # type: ignore[method-assign]
    return blocks
