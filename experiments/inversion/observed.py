"""What the server sees of a round: gradients, or the library's own integers for K directions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from baffle.backends.torch import TorchProbe, initial_weights, model_signature
from baffle.directions import Place, Points, make_kind
from baffle.drivers.local.task import TensorExamples
from baffle.estimators import ESTIMATORS
from baffle.privacy import PrivacySpec, clip_norm, derive_seed, discrete_gaussian
from baffle.quantisation import Quantiser, rounding_rows
from experiments.inversion.network import gradients

RADIUS_EXPONENT = -10
KIND = "rank_one"  # the library's default
DELTA = 1e-5
FEW = 1024  # directions whose entries are drawn at once


@dataclass(frozen=True)
class Observed:
    """The view that an attack starts from.

    Args:
        directions: float32 [K, d], known to the server; None where it sees gradients.
        values: float32 [S, K], sums of S rounds as means over their clients; or gradients [S, d].
        noise: share of the values' mean square that is rounding and privacy noise, which the
            server can tell from the step and the noise multiplier.
    """

    directions: Tensor | None
    values: Tensor
    noise: float

    def seen(self, gradient: Tensor) -> Tensor:
        """Return what would be seen of gradients [S, d]."""
        return gradient if self.directions is None else gradient @ self.directions.T

    @property
    def estimate(self) -> Tensor:
        """The estimate (1/K) Σ d_k z_k, or the gradient; float32 [S, d]."""
        if self.directions is None:
            return self.values
        return self.values @ self.directions / len(self.directions)


def of_gradients(model: nn.Module, images: Tensor, labels: Tensor) -> Observed:
    """Return the view of FedSGD: the mean gradient of each set's clients, with an image each."""
    weights = {name: p.detach() for name, p in model.named_parameters()}
    return Observed(None, gradients(model, weights, images, labels).detach(), 0.0)


def of_scalars(
    model: nn.Module, images: Tensor, labels: Tensor, K: int, bits: int, z: float, key: int
) -> Observed:
    """Return the view of one round of K directions, for each set of n clients with an image each.

    Args:
        model: where it stands.
        images, labels: [S, n, C, H, W] and [S, n].
        K: directions, forward differences at radius 2^-10.
        bits: of a client's integers; the step is the least power of two that clips nothing.
        z: noise multiplier of the sum, where a client's integers are clipped to the quantiser's
            limit in L2 norm; 0 for no privacy.
        key: the run's.
    """
    derivatives = _derivatives(model, images.flatten(0, 1), labels.flatten(), K, key)
    most = float(np.abs(derivatives).max())
    quantiser = Quantiser(bits, math.ceil(math.log2(most / (2 ** (bits - 1) - 1))))
    keys = np.arange(len(derivatives), dtype=np.uint64)  # a client's own; any will do
    words = rounding_rows(keys, 0, 0, K)
    integers = np.array([q.values for q in quantiser.quantise_rows(derivatives, words)])
    sets, n = images.shape[:2]
    grid = np.ldexp(1.0, quantiser.step_exponent)
    noise = n * grid**2 / 6  # E[f(1 - f)], stochastic rounding's variance at a remainder of f
    if z:
        spec = PrivacySpec("client", z, DELTA, loss_bound=8.0)
        integers, sigma = clip_norm(integers, quantiser.limit)[0], spec.total_sigma(quantiser.limit)
        noise += (sigma * grid) ** 2
    total = integers.reshape(sets, n, K).sum(axis=1)
    if z:
        private = derive_seed(
            bytes(32), f"inversion {key}".encode()
        )  # repeats, as a client's must not
        total += discrete_gaussian(private, sigma, total.size).reshape(total.shape)
    values = grid * total.astype(np.float64) / n
    share = noise / n**2 / float(np.mean(values**2))
    return Observed(dense(model, K, key), torch.tensor(values, dtype=torch.float32), share)


def _derivatives(
    model: nn.Module, images: Tensor, labels: Tensor, K: int, key: int
) -> NDArray[np.float64]:
    """Return each image's K forward differences over the radius; float64 [N, K]."""
    signature, forward = model_signature(model), ESTIMATORS["forward"]
    layout = forward.layout(K, 0)
    exponents = (RADIUS_EXPONENT,) * len(signature.trained)
    points = Points(
        Place(key, 0, 0), make_kind(KIND, key), exponents, layout.directions, layout.signs
    )
    probe = TorchProbe(
        model, nn.functional.cross_entropy, TensorExamples(images, labels), chunk=256, threads=1
    )
    each = [np.array([number]) for number in range(len(images))]
    losses = probe.many(initial_weights(model), points, each)
    return forward.derivatives(losses, K, 0, 2.0**RADIUS_EXPONENT).values


def dense(model: nn.Module, K: int, key: int) -> Tensor:
    """Return the entries of the round's directions; float32 [K, d]."""
    signature, kind, place = model_signature(model), make_kind(KIND, key), Place(key, 0, 0)
    entries = torch.empty(K, signature.dimension)
    for start in range(0, K, FEW):
        numbers = np.arange(start, min(start + FEW, K), dtype=np.uint32)
        parts = {
            tensor.name: kind.draw(place.stream(number), numbers, tensor, None).dense()
            for number, tensor in signature.trained
        }
        rows = [parts[name].reshape(len(numbers), -1) for name, _ in model.named_parameters()]
        entries[start : start + len(numbers)] = torch.from_numpy(np.concatenate(rows, axis=1))
    return entries
