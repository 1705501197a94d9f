"""What an attacker knows beforehand from public images of the same kind: a Gaussian of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEAST = 1e-6  # variance of a direction that public images hardly move along


@dataclass(frozen=True)
class Public:
    """Mean and principal components of public images.

    Args:
        mean: float32 [D].
        components: float32 [D, D], each times its standard deviation: images are
            mean + components · v with v of unit variance.
    """

    mean: Tensor
    components: Tensor

    @staticmethod
    def of(images: Tensor) -> Public:
        """Return what images [N, C, H, W] tell."""
        flat = images.flatten(1)
        mean = flat.mean(dim=0)
        off = flat - mean
        variances, vectors = torch.linalg.eigh((off.T @ off).double() / len(off))
        components = vectors * variances.clamp_min(LEAST).sqrt()
        return Public(mean, components.float())

    def images(self, v: Tensor) -> Tensor:
        """Return the pixels [..., D] of coordinates [..., D]."""
        return self.mean + v @ self.components.T
