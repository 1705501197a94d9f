"""Half of each layer's outputs are taken away: a smaller module, and any directions train it."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from baffle.models.narrow import strongest, take_out
from baffle.models.prune import structured
from experiments.compressed.forms.form import Check, Form, norms_measured, shapes_of
from experiments.finetuning.networks.resnet import Block

SHARE = 0.5


def make(module: nn.Module, examples: Tensor) -> tuple[nn.Module, Check]:
    """Return a smaller copy; of a residual network, the channels inside its blocks are halved."""
    assert isinstance(module, nn.Sequential)
    residual = any(isinstance(part, Block) for part in module.modules())
    found = _inside_blocks(module) if residual else structured(module, SHARE)
    norms_measured(found, examples)
    return found, shapes_of(found)


def _inside_blocks(module: nn.Sequential) -> nn.Sequential:
    """Return a copy whose shortcuts are as wide as before."""
    found = copy.deepcopy(module)
    for block in found.modules():
        if isinstance(block, Block):
            take_out(block.conv1, [block.bn1], block.conv2, strongest(block.conv1, SHARE))
    return found


FORM = Form(make)
