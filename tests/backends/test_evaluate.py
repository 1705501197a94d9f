"""Loss and accuracy on a data set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from baffle.backends.torch import evaluate, initial_weights
from baffle.errors import DataError, ProbeError
from tests.backends.helpers import Rows, mean_square


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_any_batch_size_gives_the_mean(batch_size):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)).train()
    x, y = torch.randn(7, 3), torch.randint(0, 4, (7,))
    weights = {name: w * 2 for name, w in initial_weights(module).items()}
    found = evaluate(module, weights, Rows(x, y), functional.cross_entropy, batch_size)
    logits = x @ torch.from_numpy(weights["0.weight"]).T + torch.from_numpy(weights["0.bias"])
    expected = float(functional.cross_entropy(logits, y))
    assert found[0] == pytest.approx(expected, rel=64 * 2**-23)
    assert found[1] == float((logits.argmax(1) == y).double().mean())
    assert module.training
    assert np.array_equal(module[0].weight.detach().numpy(), weights["0.weight"])


def test_no_accuracy_without_classes():
    module = nn.Linear(3, 2)
    data = Rows(torch.randn(5, 3), torch.randn(5, 2))
    assert evaluate(module, initial_weights(module), data, mean_square)[1] is None


def test_nothing_to_evaluate_and_a_wrong_loss():
    module, weights = nn.Linear(3, 2), initial_weights(nn.Linear(3, 2))
    with pytest.raises(DataError, match="got none"):
        evaluate(module, weights, Rows(torch.empty(0, 3), torch.empty(0, 2)), mean_square)
    data = Rows(torch.randn(5, 3), torch.randn(5, 2))
    with pytest.raises(ProbeError, match="scalar"):
        evaluate(module, weights, data, lambda o, t: o - t)
