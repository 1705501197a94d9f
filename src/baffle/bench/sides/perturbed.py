"""The usual ways to perturb: weights changed in place, one direction at a time; mapped copies."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torch.func import functional_call

from baffle.bench.sides.work import SIGMA, Case, Setting, Side, Work, mean_loss, powers

COPIES_BYTES = 2**30  # of perturbed copies held at once
NO_BATCHING_RULE = "There is a performance drop"  # torch's warning; the ratio shows it


class RandnLoop(Side):
    """MeZO's loop: add σ·z to the weights, evaluate, draw z again and subtract it.

    z is torch.randn from a generator that is seeded anew, one tensor at a time.
    """

    def __init__(self, case: Case) -> None:
        self.case, self.unit = case, case.examples
        self.module = case.own_module()
        self.generator = torch.Generator(case.device)

    def chunks(self) -> tuple[int, ...]:
        """Return one: a direction at a time."""
        return (1,)

    def work(self, setting: Setting, most: int) -> Work:
        """Return a loop over the directions of about `most` rows."""
        count = self.case.points(most)

        def run() -> None:
            for seed in range(count):
                self.one(seed)

        return Work(count * self.case.examples, run)

    @torch.inference_mode()
    def one(self, seed: int) -> Tensor:
        """Return the loss at a direction."""
        inputs, targets = self.case.batch
        self.move(seed, SIGMA)
        loss = mean_loss(self.case, self.module(inputs), targets)
        self.move(seed, -SIGMA)
        return loss

    def move(self, seed: int, scale: float) -> None:
        """Add scale·z to every parameter."""
        self.generator.manual_seed(seed)
        for p in self.module.parameters():
            z = torch.randn(p.shape, generator=self.generator, dtype=p.dtype, device=p.device)
            p.add_(z, alpha=scale)


class Vmap(Side):
    """torch.vmap over `chunk` perturbed copies of the weights."""

    def __init__(self, case: Case) -> None:
        self.case, self.unit = case, case.examples
        self.parameters = {n: p.detach() for n, p in case.module.named_parameters()}
        self.generator = torch.Generator(case.device).manual_seed(0)

    def chunks(self) -> tuple[int, ...]:
        """Return numbers of copies within 1 GiB, at least one."""
        bytes_each = sum(p.nbytes for p in self.parameters.values())
        return powers(1, max(1, min(self.case.directions, COPIES_BYTES // bytes_each)), 4)

    def work(self, setting: Setting, most: int) -> Work:
        """Return mapped passes over about `most` rows."""
        count = self.case.points(most, setting.chunk)
        sizes = [min(setting.chunk, count - at) for at in range(0, count, setting.chunk)]

        def run() -> None:
            for copies in sizes:
                self.one(copies)

        return Work(count * self.case.examples, run)

    @torch.no_grad()
    def one(self, copies: int) -> Tensor:
        """Return the losses at that many new directions."""
        inputs, targets = self.case.batch
        moved = {name: self.copies_of(p, copies) for name, p in self.parameters.items()}

        def loss(weights: dict[str, Tensor]) -> Tensor:
            output = functional_call(self.case.module, weights, (inputs,))
            return mean_loss(self.case, output, targets)

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", NO_BATCHING_RULE)
            return torch.vmap(loss)(moved)

    def copies_of(self, p: Tensor, copies: int) -> Tensor:
        """Return p + σ·z, [copies, *shape]."""
        shape = (copies, *p.shape)
        z = torch.randn(shape, generator=self.generator, dtype=p.dtype, device=p.device)
        return z.mul_(SIGMA).add_(p)
