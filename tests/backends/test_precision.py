"""Evaluation in bfloat16 and through torch.compile: options of a client, not of a run's state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from baffle.backends.torch import TorchProbe, initial_weights
from baffle.errors import ConfigError
from tests.backends.helpers import Rows, bits, some_points


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.LayerNorm(32), nn.Linear(32, 4))


def rows() -> Rows:
    torch.manual_seed(1)
    return Rows(torch.randn(24, 16), torch.randint(0, 4, (24,)))


def losses(module, radius: int, **options) -> np.ndarray:
    probe = TorchProbe(module, functional.cross_entropy, rows(), **options)
    n = len(probe.signature.trained)
    points = some_points(module, signs=(1, -1) * 40, exponents=(radius,) * n)
    return probe(initial_weights(module), points, np.arange(24))


def test_bfloat16_changes_losses_a_little_and_the_model_not_at_all():
    module = net()
    before = bits(module)
    exact, half = losses(module, -4), losses(module, -4, precision="bfloat16")
    assert bits(module) == before
    assert module[0].weight.dtype == torch.float32
    assert np.abs(exact - half).max() < 0.02
    assert np.abs(exact - half).max() > 1e-6


def test_a_radius_near_the_resolution_of_bfloat16():
    """What is added beside the rounded weights keeps more of it than rounded copies do."""
    module = net()
    for radius, least in ((-8, 0.99), (-10, 0.95), (-12, 0.6)):
        exact = losses(module, radius)
        batched = losses(module, radius, precision="bfloat16")
        assert np.corrcoef(exact, batched)[0, 1] > least
    copies = losses(module, -12, precision="bfloat16", route="point_by_point")
    assert np.corrcoef(exact, copies)[0, 1] < np.corrcoef(exact, batched)[0, 1] - 0.1


def test_an_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match="precision must be one of own, bfloat16, got 'int3'"):
        TorchProbe(net(), functional.cross_entropy, rows(), precision="int3")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled_points_agree():
    module = net()
    probe = TorchProbe(module, functional.cross_entropy, rows(), compiled=True)
    points = some_points(module, signs=(1, -1, 0, 1))
    found = probe(initial_weights(module), points, np.arange(24))
    assert probe.route == "point_by_point", probe.reasons
    plain = TorchProbe(module, functional.cross_entropy, rows(), route="point_by_point")
    expected = plain(initial_weights(module), points, np.arange(24))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    again = probe(initial_weights(module), points, np.arange(24))
    assert again.tobytes() == found.tobytes()
