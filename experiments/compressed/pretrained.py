"""The networks before they are compressed."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baffle.models import build
from baffle.models.trained_part import train_only
from experiments.finetuning.files import find
from experiments.finetuning.images import RESNET
from experiments.finetuning.networks import resnet20

EPOCHS, BATCH, STEP = 20, 32, 2e-3
TRAINED = ("layer3.*", "linear.*")  # of ResNet-20: its last third


def taught(name: str, x: Tensor, y: Tensor) -> nn.Module:
    """Return one of the house's models after some epochs of back-propagation on public rows.

    Args:
        name: of the model.
        x, y: rows and classes that the server has; the clients' are others.
    """
    model = build(name, tuple(x.shape[1:]), 10, seed=0)
    optimiser = torch.optim.Adam(model.parameters(), STEP)
    order = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=order).split(BATCH):
            optimiser.zero_grad()
            cross_entropy(model(x[rows]), y[rows]).backward()
            optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return model.eval()


def residual() -> nn.Module:
    """Return ResNet-20 as CIFAR-10's train pictures taught it, its last third to be trained."""
    model = resnet20(find(RESNET))
    train_only(model, TRAINED)
    return model
