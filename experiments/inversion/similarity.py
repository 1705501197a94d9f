"""How alike two images are: mean squared error, PSNR and SSIM, pixels in 0 … 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WINDOW, SPREAD = 11, 1.5  # of SSIM's Gaussian window, as published
C1, C2 = 0.01**2, 0.03**2  # (K1 L)², (K2 L)² at L = 1

Images = NDArray[np.float64]


def mean_squared_error(one: Images, other: Images) -> NDArray[np.float64]:
    """Return the mean squared difference of each pair.

    Args:
        one, other: [N, C, H, W], pixels in 0 … 1.

    Example:
        >>> mean_squared_error(np.zeros((1, 1, 2, 2)), np.full((1, 1, 2, 2), 0.5)).tolist()
        [0.25]
    """
    found: NDArray[np.float64] = np.mean(np.square(one - other), axis=(1, 2, 3))
    return found


def psnr(one: Images, other: Images) -> NDArray[np.float64]:
    """Return 10 log10(1 / MSE) of each pair in dB; at most 100, so that equal images have one.

    Example:
        >>> psnr(np.zeros((1, 1, 2, 2)), np.full((1, 1, 2, 2), 0.1)).round(6).tolist()
        [20.0]
    """
    error = np.maximum(mean_squared_error(one, other), 1e-10)
    found: NDArray[np.float64] = -10 * np.log10(error)
    return found


def ssim(one: Images, other: Images) -> NDArray[np.float64]:
    """Return the structural similarity of each pair, at most 1, the mean over channels.

    (2 μ_a μ_b + C1)(2 σ_ab + C2) / ((μ_a² + μ_b² + C1)(σ_a² + σ_b² + C2)), moments in a Gaussian
    window of 11 pixels and σ = 1.5, averaged over all places where the window fits.
    Source: Wang et al. 2004, equation (13) and section III.C.

    Args:
        one, other: [N, C, H, W], 11 pixels a side or more, in 0 … 1.

    Example:
        >>> ssim(np.full((1, 1, 11, 11), 0.5), np.full((1, 1, 11, 11), 0.5)).tolist()
        [1.0]
    """
    a, b = one.astype(np.float64), other.astype(np.float64)
    mean_a, mean_b = _windowed(a), _windowed(b)
    var_a = _windowed(a * a) - mean_a**2
    var_b = _windowed(b * b) - mean_b**2
    both = _windowed(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * both + C2) / (var_a + var_b + C2)
    found: NDArray[np.float64] = np.mean(light * structure, axis=(1, 2, 3))
    return found


def _windowed(images: Images) -> Images:
    """Return means in the window around every pixel that it fits around."""
    for axis in (2, 3):
        images = np.apply_along_axis(np.convolve, axis, images, _taps(), mode="valid")
    return images


def _taps() -> NDArray[np.float64]:
    places = np.arange(WINDOW) - WINDOW // 2
    taps = np.exp(-0.5 * (places / SPREAD) ** 2)
    weights: NDArray[np.float64] = taps / taps.sum()
    return weights
