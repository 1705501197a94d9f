from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.data.mnist import pixels
from baffle.data.resize import bilinear_matrix, resize

torch = pytest.importorskip("torch")


def torchs(images: Any, size: int) -> Any:
    out = torch.nn.functional.interpolate(
        torch.from_numpy(images)[:, None], size=(size, size), mode="bilinear", align_corners=False
    )
    return out[:, 0].numpy()


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    size=st.integers(1, 40),
    key=st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=60)
def test_the_same_as_torch(height: int, width: int, size: int, key: int) -> None:
    images = np.random.Generator(np.random.Philox(key=key)).random((3, height, width), np.float32)
    # In float32 torch rounds the source coordinates as well, by up to 4e-6 here; in float64 it is
    # the truth, and what is left is our own rounding of weights and sums.
    expected = torchs(images.astype(np.float64), size)
    np.testing.assert_allclose(resize(images, size), expected, rtol=0, atol=1e-6)


def test_mnists_size_is_the_same_as_torch_in_float32() -> None:
    images = np.random.Generator(np.random.Philox(key=0)).random((20, 28, 28), np.float32)
    np.testing.assert_allclose(resize(images, 32), torchs(images, 32), rtol=0, atol=2e-7)


def test_more_images_than_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.arange(5 * 4, dtype=np.float32).reshape(5, 2, 2)
    whole = resize(images, 3)
    monkeypatch.setattr("baffle.data.resize._CHUNK", 2)
    np.testing.assert_array_equal(resize(images, 3), whole)


@given(source=st.integers(1, 50), target=st.integers(1, 50))
def test_weights_are_a_mean(source: int, target: int) -> None:
    matrix = bilinear_matrix(source, target)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert (matrix >= 0).all()
    assert ((matrix > 0).sum(axis=1) <= 2).all()


def test_mnist_is_resized_in_whole_numbers() -> None:
    """Exact in float32, so the same bits on every machine."""
    images = np.random.Generator(np.random.Philox(key=3)).integers(0, 256, (50, 28, 28), np.uint8)
    sixteenths = bilinear_matrix(28, 32) * 16
    weights = sixteenths.astype(np.int64)
    np.testing.assert_array_equal(weights, sixteenths)
    sums = weights @ images.astype(np.int64) @ weights.T
    expected = (sums / 256).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(pixels(images, 32)[:, 0], expected)
