"""One plain forward pass, watched: how many operations, and how large their largest result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from baffle.backends.torch.examples import arguments, batch_size, cloned
from baffle.backends.torch.losses import Loss, one_loss


@dataclass(frozen=True)
class Survey:
    """What a module does with a batch: its operations, and the bytes of the largest activation."""

    operations: int
    peak_bytes: int


class _Watch(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations, self.peak = 0, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor):
            self.operations += 1
            self.peak = max(self.peak, found.nbytes)
        return found


def survey(module: nn.Module, batch: tuple[Any, Any], loss: Loss) -> Survey:
    """Run the module and the loss once as they are and say what they did.

    Raises:
        ProbeError: the inputs have no common batch axis, or the loss is not a scalar tensor.
    """
    inputs, targets = batch
    batch_size(inputs)
    args, kwargs = arguments(cloned(inputs))
    watch = _Watch()
    with watch:
        output = module(*args, **kwargs)
    one_loss(loss, output, targets)
    taken = [x.nbytes for x in pytree.tree_leaves(inputs) if isinstance(x, Tensor)]
    return Survey(watch.operations + 1, max(1, watch.peak, *taken))
