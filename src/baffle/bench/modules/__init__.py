"""The modules that are measured, by name. One row a module; they are plain torch.

They draw on nothing of baffle's engine, so that a process which measures plain inference loads
none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Generator, nn
from torch.nn import functional as F  # noqa: N812

from baffle.bench.modules.gpt import Gpt, next_token
from baffle.bench.modules.mlp import mlp
from baffle.bench.modules.mobilenet import InvertedResidual, mobilenet_v2
from baffle.bench.modules.subject import Subject, batch_of, checkpoint_blocks, module_of
from baffle.bench.modules.transformer import Block, Transformer
from baffle.errors import ConfigError
from baffle.models import build

__all__ = [
    "SUBJECTS",
    "Subject",
    "batch_of",
    "checkpoint_blocks",
    "in_segments",
    "module_of",
    "subject_of",
    "subjects_on",
]

Batch = Callable[[int, Generator], tuple[Any, Any]]
TOKENS = 16


def floats(shape: tuple[int, ...], classes: int) -> Batch:
    """Return a factory of normal inputs of that shape and targets among the classes."""

    def batch(examples: int, generator: Generator) -> tuple[Any, Any]:
        inputs = torch.randn(examples, *shape, generator=generator)
        return inputs, torch.randint(classes, (examples,), generator=generator)

    return batch


def sequences(tokens: int, vocabulary: int) -> Batch:
    """Return a factory of token ids, and the ids that follow them as targets."""

    def batch(examples: int, generator: Generator) -> tuple[Any, Any]:
        ids = torch.randint(vocabulary, (examples, tokens + 1), generator=generator)
        return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()

    return batch


def in_segments(*starts: int) -> Callable[[nn.Module], Sequence[nn.Module]]:
    """Return how to group a flat Sequential, in place, into segments that begin at these layers."""

    def segments(module: nn.Module) -> Sequence[nn.Module]:
        layers = list(module.children())
        ends = (*starts[1:], len(layers))
        made = [nn.Sequential(*layers[a:b]) for a, b in zip(starts, ends, strict=True)]
        module._modules.clear()
        module._modules.update({str(i): segment for i, segment in enumerate(made)})
        return made

    return segments


def parts_like(*kinds: type[nn.Module]) -> Callable[[nn.Module], Sequence[nn.Module]]:
    """Return how to find a module's parts of some classes."""
    return lambda module: [part for part in module.modules() if isinstance(part, kinds)]


def _wrn_blocks(module: nn.Module) -> Sequence[nn.Module]:
    return [part for name, part in module.named_children() if name.startswith("stage")]


_ROWS = (
    Subject(
        name="mlp",
        about="six linear layers 768 to 768 with ReLU between; the last gives 768 logits",
        build=mlp,
        batch=floats((768,), 768),
        loss=F.cross_entropy,
        batches=(4, 32, 128),
        blocks=in_segments(0, 4, 8),
    ),
    Subject(
        name="transformer",
        about="12 pre-norm blocks, width 384, 6 heads; 16 tokens of float features, 10 classes",
        build=Transformer,
        batch=floats((TOKENS, 384), 10),
        loss=F.cross_entropy,
        batches=(4, 32, 128),
        blocks=parts_like(Block),
        memory_batch=32,
    ),
    Subject(
        name="lenet",
        about="the paper's LeNet, 26,730 weights, images 1×32×32",
        build=lambda: build("lenet", (1, 32, 32), 10, seed=0),
        batch=floats((1, 32, 32), 10),
        loss=F.cross_entropy,
        batches=(8, 64),
        blocks=in_segments(0, 4, 8),
        devices=(),
    ),
    Subject(
        name="lenet5",
        about="LeNet-5 with ReLU, images 1×28×28",
        build=lambda: build("lenet5", (1, 28, 28), 10, seed=0),
        batch=floats((1, 28, 28), 10),
        loss=F.cross_entropy,
        batches=(16, 64),
        blocks=in_segments(0, 3, 6),
    ),
    Subject(
        name="wrn",
        about="WRN-10-2 with GroupNorm and Hardswish, images 3×32×32",
        build=lambda: build("wrn", (3, 32, 32), 10, seed=0),
        batch=floats((3, 32, 32), 10),
        loss=F.cross_entropy,
        batches=(16, 64),
        blocks=_wrn_blocks,
        memory_batch=64,
    ),
    Subject(
        name="mobilenet_v2",
        about="MobileNetV2, width 1, BatchNorm in eval mode, images 3×96×96, 1000 classes",
        build=mobilenet_v2,
        batch=floats((3, 96, 96), 1000),
        loss=F.cross_entropy,
        batches=(4, 16, 64),
        blocks=parts_like(InvertedResidual),
        memory_batch=32,
    ),
    Subject(
        name="gpt",
        about="causal language model, 4 blocks, width 256, 1,024 tokens, tied head; 32 tokens",
        build=Gpt,
        batch=sequences(32, 1024),
        loss=next_token,
        batches=(4, 16),
        blocks=parts_like(Block),
    ),
    Subject(
        name="transformer_1b",
        about="20 pre-norm blocks, width 2,048, 16 heads, bfloat16; 16 tokens of float features",
        build=lambda: Transformer(width=2048, layers=20, heads=16),
        batch=floats((TOKENS, 2048), 10),
        loss=F.cross_entropy,
        batches=(4, 32),
        blocks=parts_like(Block),
        dtype=torch.bfloat16,
        devices=("cuda",),
    ),
)

SUBJECTS: Mapping[str, Subject] = {subject.name: subject for subject in _ROWS}


def subject_of(name: str) -> Subject:
    """Return the subject of that name.

    Raises:
        ConfigError: no such subject.

    Example:
        >>> subject_of("mlp").batches
        (4, 32, 128)
    """
    if name not in SUBJECTS:
        raise ConfigError(f"--model must be one of {', '.join(SUBJECTS)}, got {name!r}")
    return SUBJECTS[name]


def subjects_on(device: str) -> list[str]:
    """Return the names of what is measured on a device unless modules are named.

    Example:
        >>> subjects_on("cuda")
        ['transformer_1b']
    """
    return [name for name, subject in SUBJECTS.items() if device in subject.devices]
