"""Which part of a model is trained, and what comes before it.

A frozen layer costs nothing upwards and makes estimates better: their squared relative error is
about d/K, with d the trained entries alone. What stands before the first trained layer gives the
same result at every point, every round. The engine computes it once a pass; `split_frozen` and
`features` let a client compute it once an example.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from baffle.errors import ModelError


def train_only(model: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Train the parameters whose names fit and freeze all others, in place.

    Args:
        model: any module.
        patterns: shell patterns of dotted parameter names, for example ("head.*", "*.bias").

    Returns:
        Names of what is trained, in the model's order.

    Raises:
        ModelError: a pattern fits no parameter; nothing has been changed then.

    Example:
        >>> model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
        >>> train_only(model, ["2.*"])
        ['2.weight', '2.bias']
    """
    named = dict(model.named_parameters())
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in named):
            raise ModelError(
                f"expected patterns of parameter names, {pattern!r} fits none; the model's begin "
                f"with {', '.join(list(named)[:8])}"
            )
    for name, parameter in named.items():
        parameter.requires_grad_(any(fnmatchcase(name, pattern) for pattern in patterns))
    return [name for name, parameter in named.items() if parameter.requires_grad]


def split_frozen(model: nn.Sequential) -> tuple[nn.Sequential, nn.Sequential]:
    """Split a chain of modules before the first one in which something is trained.

    Args:
        model: a chain; its children are shared with what is returned.

    Returns:
        The frozen beginning, which may be empty, and the rest, under their own names: the rest's
        parameters are called as they were. A run of the rest probes along other directions than
        one of the whole, since directions go by a tensor's place among all of a model's.

    Raises:
        ModelError: nothing is trained.

    Example:
        >>> model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
        >>> _ = train_only(model, ["2.*"])
        >>> frozen, rest = split_frozen(model)
        >>> len(frozen), [name for name, _ in rest.named_parameters()]
        (2, ['2.weight', '2.bias'])
    """
    children = list(model._modules.items())
    for place, (_, child) in enumerate(children):
        if any(p.requires_grad for p in child.parameters()):
            return _chain(children[:place]), _chain(children[place:])
    raise ModelError("expected a model with something to train, all its parameters are frozen")


def _chain(children: Sequence[tuple[str, nn.Module]]) -> nn.Sequential:
    chain = nn.Sequential()
    for name, child in children:
        chain.add_module(name, child)
    return chain.eval()


def features(frozen: nn.Module, inputs: Tensor, batch: int = 64) -> Tensor:
    """What a frozen beginning makes of examples, computed once.

    Args:
        frozen: a module, called in eval mode and without gradients.
        inputs: one example a row of axis 0, at least one.
        batch: examples a pass.

    Returns:
        Its outputs, one a row, which take the inputs' place in front of the rest.

    Example:
        >>> features(nn.Flatten(), torch.zeros(3, 2, 2)).shape
        torch.Size([3, 4])
    """
    was_training = frozen.training
    frozen.eval()
    with torch.no_grad():
        found = torch.cat([frozen(part) for part in inputs.split(batch)])
    frozen.train(was_training)
    return found
