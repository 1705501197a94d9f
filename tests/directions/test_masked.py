"""Masked directions: the density asked for, and zeros that stay zero."""

import numpy as np
import pytest

from baffle.directions import ModelSignature, Place, TensorSpec, make_kind
from baffle.errors import ConfigError, ModelError


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9])
def test_the_mask_has_the_density_asked_for(density):
    """A peer's mask, asked for 10 %, selected 54 %."""
    tensor = TensorSpec("w", (400, 500))
    kind = make_kind("masked", 3, density)
    mask = kind.mask(0, tensor, {"w": np.ones(tensor.shape, np.float32)})
    spread = np.sqrt(density * (1 - density) / tensor.size)
    assert mask.mean() == pytest.approx(density, abs=5 * spread)


def test_zeros_of_a_pruned_matrix_never_move_and_zero_biases_do():
    signature = ModelSignature(
        (TensorSpec("w", (6, 5)), TensorSpec("b", (6,)), TensorSpec("z", (2, 2)))
    )
    w = np.ones((6, 5), np.float32)
    w[::2] = 0
    values = {"w": w, "b": np.zeros(6, np.float32), "z": np.zeros((2, 2), np.float32)}
    kind = make_kind("masked", 3)
    for number, tensor in signature.trained:
        z = kind.draw(
            Place(3, 0).stream(number), np.arange(50, dtype=np.uint32), tensor, values
        ).dense()
        moved = np.abs(z).sum(axis=0) > 0
        expected = {"w": w != 0, "b": np.ones(6, bool), "z": np.ones((2, 2), bool)}[tensor.name]
        assert np.array_equal(moved, expected)
    assert kind.dimension(signature, values) == 15 + 6 + 4


def test_density_zero_and_missing_weights_are_refused():
    with pytest.raises(ConfigError, match="density"):
        make_kind("masked", 3, 0.0)
    with pytest.raises(ModelError, match="need the weights"):
        make_kind("masked", 3).mask(0, TensorSpec("w", (2, 2)), None)
