"""What is measured: a module, examples and a loss, so named that another process finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from baffle.backends.torch.examples import batch_size
from baffle.errors import ConfigError, DataError
from baffle.models.locate import CLASSES, SHAPES, find_attribute, find_model
from baffle.models.lora import add_lora
from baffle.models.trained_part import train_only

SEED = 0
PARTS = ("all", "lora", "head")
LORA_RANK = 8
Loss = Callable[[Any, Any], Tensor]


@dataclass(frozen=True)
class Named:
    """A model in words.

    Args:
        model: as `baffle check` takes it: a row of MODELS, or where the code stands that makes it.
        in_shape: shape of one row, for random examples; None where a model by name has one.
        classes: outputs of a named model, and of random targets.
        example: where a function stands that takes a number of examples and returns (inputs,
            targets); "" for random rows.
        trained: a row of PARTS: "all"; "lora" for adapters; "head" for the last layer alone.
    """

    model: str
    in_shape: tuple[int, ...] | None = None
    classes: int | None = None
    example: str = ""
    trained: str = "all"


@dataclass(frozen=True)
class Given:
    """A module, B examples and a loss.

    Args:
        module: in eval mode; what requires a gradient is trained.
        inputs, targets: tensors with the examples on axis 0 (inputs may be a tuple or dict).
        loss: (output, target) to the batch's mean loss.
    """

    module: nn.Module
    inputs: Any
    targets: Any
    loss: Loss

    def __len__(self) -> int:
        return batch_size(self.inputs)

    def batch(self, numbers: Any) -> tuple[Any, Any]:
        """Return these examples; the numbers may repeat."""
        index = torch.from_numpy(numbers)
        taken = torch.utils._pytree.tree_map_only(Tensor, lambda x: x[index], self.inputs)
        return taken, self.targets[index]

    def of_size(self, count: int) -> Given:
        """Return the same with that many examples, the first ones again and again."""
        inputs, targets = self.batch(np.arange(count) % len(self))
        return Given(self.module, inputs, targets, self.loss)

    @property
    def dimension(self) -> int:
        """d, the number of trained weights."""
        return sum(p.numel() for p in self.module.parameters() if p.requires_grad)


def make(named: Named, examples: int) -> Given:
    """Return a model with that many examples.

    Raises:
        ModelError: there is no such model, or it has no head.
        ConfigError: no shape for random examples.
        DataError: the example function returns something else.

    Example:
        >>> make(Named("linear", (4,), 3), 2).dimension
        15
    """
    module = find_model(named.model, named.in_shape, named.classes).eval()
    train_part(module, named.trained)
    inputs, targets = _examples(named, examples)
    return Given(module, inputs, targets, likely_loss)


def train_part(module: nn.Module, part: str) -> None:
    """Freeze what is not trained, in place; "lora" adds adapters of rank 8, or less where it must.

    Raises:
        ConfigError: another part than those of PARTS.
        ModelError: no layer takes an adapter.
    """
    if part not in PARTS:
        raise ConfigError(f"expected a trained part among {', '.join(PARTS)}, got {part!r}")
    if part == "head":
        names = [n for n, m in module.named_modules() if any(True for _ in m.parameters(False))]
        train_only(module, [f"{names[-1]}.*" if names[-1] else "*"])
    if part == "lora":
        _adapt(module)


def _adapt(module: nn.Module) -> None:
    """Put adapters beside the layers that are wide enough for their rank."""
    wide = [
        name
        for name, layer in module.named_modules()
        if isinstance(layer, (nn.Linear, nn.Conv2d))
        and min(layer.weight.shape[0], layer.weight[0].numel()) >= LORA_RANK
    ]
    add_lora(module, LORA_RANK, wide or ["*"])


def _examples(named: Named, count: int) -> tuple[Any, Any]:
    if named.example:
        return _of_function(named.example, count)
    shape = named.in_shape or SHAPES.get(named.model)
    if shape is None:
        raise ConfigError(
            f"expected the shape of one row of {named.model} (--in-shape), or a function that "
            "makes examples (--example)"
        )
    chance = torch.Generator().manual_seed(SEED)
    inputs = torch.randn(count, *shape, generator=chance)
    return inputs, torch.randint(named.classes or CLASSES, (count,), generator=chance)


def _of_function(place: str, count: int) -> tuple[Any, Any]:
    found = find_attribute(place)(count)
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], Tensor):
        raise DataError(f"{place}({count}): expected (inputs, targets), got {type(found).__name__}")
    if {batch_size(found[0]), len(found[1])} != {count}:
        raise DataError(f"{place}({count}): expected {count} examples, got {len(found[1])} targets")
    return found


def likely_loss(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy over the last axis for whole targets, the mean square for others.

    Example:
        >>> likely_loss(torch.zeros(2, 5, 4), torch.zeros(2, 5, dtype=torch.long)).item()
        1.3862943649291992
    """
    if target.is_floating_point():
        return functional.mse_loss(output, target)
    return functional.cross_entropy(output.reshape(-1, output.shape[-1]), target.reshape(-1))
