"""Attacks: images whose gradients, or scalars, are those that were seen.

    dlg      squared distance; the label is sought too, as probabilities    Zhu et al. 2019
    idlg     squared distance; the label is known                           Zhao et al. 2020
    cosine   1 - cosine, and total variation; the label is known            Geiping et al. 2020
    public   squared distance, and a Gaussian prior from public images: the most likely images
             given what was seen; the label is known                        ours
    tried    the same with each label in turn, and the one that explains most

All are minimised by L-BFGS. The first three begin at grey with a little noise, the others at the
public mean. Each image has penalties for pixels outside 0 … 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.inversion.minimise import minimise
from experiments.inversion.network import Weights, gradients
from experiments.inversion.observed import Observed
from experiments.inversion.public import Public

CLASSES = 10
ITERATIONS = {"dlg": 300, "idlg": 200, "cosine": 150, "public": 100, "tried": 50}
FOR_SUMS = 3  # times as many where there are several images in a sum
# Chosen on other images than those that are attacked, by PSNR at K of 64 to 1,024.
VARIATION, PRIOR, OUTSIDE = 1e-3, 1e-4, 1e-3
SOLVE_STEPS = 60  # of conjugate gradients
NOISE = 0.05  # of a start


@dataclass(frozen=True)
class Victim:
    """What is attacked.

    Args:
        model: the network, where the round found it.
        labels: int64 [S, n], as the attacker knows them.
        shape: (C, H, W) of an image.
    """

    model: nn.Module
    labels: Tensor
    shape: tuple[int, ...]

    @property
    def weights(self) -> Weights:
        """The model's, by name."""
        return {name: p.detach() for name, p in self.model.named_parameters()}


@dataclass(frozen=True)
class Found:
    """What an attack ends with.

    Args:
        images: float32 [S, n, C, H, W] in 0 … 1.
        labels: int64 [S, n], as it took or found them.
        values: float32 [S], what it made small.
    """

    images: Tensor
    labels: Tensor
    values: Tensor


def recover(attack: str, victim: Victim, seen: Observed, public: Public, key: int) -> Found:
    """Return the recovered images.

    Args:
        attack: as in the module's list; "tried" is for one image a set.
        victim: network and labels; "tried" and "dlg" do not look at the labels.
        seen: what the server saw.
        public: for the attacks of that prior; others do not look at it.
        key: of the start's noise.
    """
    seen = solved(seen)
    if attack == "tried":
        return _best(_tried(victim, seen, public, key), len(victim.labels))
    return _recover(attack, victim, seen, public, key, ITERATIONS[attack])


def _tried(victim: Victim, seen: Observed, public: Public, key: int) -> Found:
    """Return what each label gives, label after label for each image."""
    count = len(victim.labels)
    labels = torch.arange(CLASSES).repeat(count)[:, None]
    each = replace(seen, values=seen.values.repeat_interleave(CLASSES, dim=0))
    other = replace(victim, labels=labels)
    return _recover("public", other, each, public, key, ITERATIONS["tried"])


def _best(found: Found, count: int) -> Found:
    """Return the label of each image that explains most."""
    best = found.values.view(count, CLASSES).argmin(dim=1) + CLASSES * torch.arange(count)
    return Found(found.images[best], found.labels[best], found.values[best])


def _recover(
    attack: str, victim: Victim, seen: Observed, public: Public, key: int, iterations: int
) -> Found:
    sets, n = victim.labels.shape
    size = public.mean.numel()
    generator = torch.Generator().manual_seed(key)
    start = NOISE * torch.randn(sets, n * size, generator=generator)
    if attack == "dlg":
        start = torch.cat([start, torch.zeros(sets, n * CLASSES)], dim=1)
    decode = public.images if attack == "public" else lambda v: v + 0.5

    def images(v: Tensor) -> Tensor:
        return decode(v[:, : n * size].view(sets, n, size)).view(sets, n, *victim.shape)

    objective = _objective(attack, victim, seen, images, n * size)
    found, values = minimise(_sloped(objective), start, iterations * (FOR_SUMS if n > 1 else 1))
    labels = victim.labels
    if attack == "dlg":
        labels = found[:, n * size :].view(sets, n, CLASSES).argmax(dim=2)
    return Found(images(found).clamp(0, 1), labels, values)


def _objective(
    attack: str, victim: Victim, seen: Observed, images: Callable[[Tensor], Tensor], pixels: int
) -> Callable[[Tensor], Tensor]:
    """Return coordinates [S, …] to what each set is to make small [S]."""
    weights, energy = victim.weights, seen.values.square().sum(dim=1)
    # The most likely images weigh each scalar's misfit by its noise.
    prior = max(PRIOR, pixels * seen.noise / seen.values.shape[1])

    def value(v: Tensor) -> Tensor:
        x = images(v)
        labels = (
            v[:, pixels:].view(*x.shape[:2], CLASSES).softmax(2)
            if attack == "dlg"
            else victim.labels
        )
        found = seen.seen(gradients(victim.model, weights, x, labels))
        outside = OUTSIDE * (x - x.clamp(0, 1)).square().mean(dim=(1, 2, 3, 4))
        if attack == "cosine":
            away = 1 - functional.cosine_similarity(found, seen.values, dim=1)
            return away + VARIATION * _variation(x) + outside
        away = (found - seen.values).square().sum(dim=1) / energy
        return away + outside + (prior * v.square().mean(dim=1) if attack == "public" else 0.0)

    return value


def _sloped(value: Callable[[Tensor], Tensor]) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return a function with its gradient, row by row."""

    def function(v: Tensor) -> tuple[Tensor, Tensor]:
        v = v.detach().requires_grad_()
        values = value(v)
        return values.detach(), torch.autograd.grad(values.sum(), v)[0]

    return function


def _variation(images: Tensor) -> Tensor:
    """Return the total variation: mean absolute difference of neighbouring pixels; [S]."""
    down, along = images.diff(dim=3).abs(), images.diff(dim=4).abs()
    return down.mean(dim=(1, 2, 3, 4)) + along.mean(dim=(1, 2, 3, 4))


def solved(seen: Observed) -> Observed:
    """Return gradients where there are more directions than weights: a linear system, solved.

    Least squares by conjugate gradients on the normal equations.
    """
    if seen.directions is None or len(seen.directions) <= seen.directions.shape[1]:
        return seen
    count = len(seen.directions)
    estimate = seen.estimate
    x, left = estimate.clone(), estimate - (estimate @ seen.directions.T) @ seen.directions / count
    way, square = left.clone(), left.square().sum(dim=1)
    for _ in range(SOLVE_STEPS):
        image = (way @ seen.directions.T) @ seen.directions / count
        step = square / (way * image).sum(dim=1).clamp_min(1e-30)
        x += step[:, None] * way
        left -= step[:, None] * image
        new = left.square().sum(dim=1)
        way = left + (new / square.clamp_min(1e-30))[:, None] * way
        square = new
    return replace(seen, directions=None, values=x)


def label_of(seen: Observed, classes: int = CLASSES) -> Tensor:
    """Return the class whose bias the estimate pulls up: the label, if there is one; int64 [S].

    With one image and cross-entropy its entry is the only negative one (Zhao et al. 2020).
    The last tensor is the bias of the last layer.
    """
    return seen.estimate[:, -classes:].argmin(dim=1)
