"""The network that is attacked, and gradients of many sets of images at once.

LeNet of the attack's authors: three 5×5 convolutions of 12 channels (strides 2, 2, 1), sigmoids, a
linear layer; 13,426 parameters for MNIST, 15,826 for CIFAR-10 (Zhu et al. 2019). Sigmoids are
smooth, which the attack needs, and nothing is pooled away: it is a network that is easy to attack.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

CHANNELS = 12
WIDE = 0.5  # the authors draw weights and biases from ± this
TRAINED_STEPS, TRAINED_BATCH = 400, 64
Weights = Mapping[str, Tensor]


def lenet(in_shape: tuple[int, ...], weights: str, key: int) -> nn.Sequential:
    """Return the network with its initial weights.

    Args:
        in_shape: (channels, side, side) of an image.
        weights: "wide" for the authors' own, uniform in ±0.5; "usual" for torch's default.
        key: of the generator that they are drawn from.
    """
    side = -(-in_shape[1] // 4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key)
        model = nn.Sequential(
            nn.Conv2d(in_shape[0], CHANNELS, 5, padding=2, stride=2),
            nn.Sigmoid(),
            nn.Conv2d(CHANNELS, CHANNELS, 5, padding=2, stride=2),
            nn.Sigmoid(),
            nn.Conv2d(CHANNELS, CHANNELS, 5, padding=2),
            nn.Sigmoid(),
            nn.Flatten(),
            nn.Linear(CHANNELS * side * side, 10),
        )
        if weights != "usual":
            for parameter in model.parameters():
                nn.init.uniform_(parameter, -WIDE, WIDE)
    return model


def train(model: nn.Module, inputs: Tensor, targets: Tensor, key: int) -> None:
    """Train by back-propagation and Adam for a few hundred mini-batches."""
    generator = torch.Generator().manual_seed(key)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(TRAINED_STEPS):
        rows = torch.randint(0, len(inputs), (TRAINED_BATCH,), generator=generator)
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(inputs[rows]), targets[rows]).backward()
        optimiser.step()


def gradients(model: nn.Module, weights: Weights, images: Tensor, labels: Tensor) -> Tensor:
    """Return the gradient of each set's mean loss; float32 [S, d], to be differentiated again.

    Args:
        model, weights: the network and where it stands.
        images: [S, n, C, H, W], S sets of n images.
        labels: int64 [S, n], or probabilities [S, n, classes].
    """

    def loss(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(model, weights, (x,)), y)

    found = vmap(grad(loss), in_dims=(None, 0, 0))(dict(weights), images, labels)
    return torch.cat([found[name].flatten(1) for name in weights], dim=1)
