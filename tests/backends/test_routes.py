"""No module is evaluated wrongly: what the fast routes cannot do, a slower one does."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from baffle.backends.torch import TorchProbe, initial_weights
from baffle.errors import ModelError
from tests.backends.helpers import (
    Rows,
    assert_agrees,
    bits,
    mean_square,
    some_points,
    sum_outputs,
    true_losses,
)
from tests.backends.modules import MIXING, Changed

READS = {"reads a value", "branches", "selects"}


@pytest.mark.parametrize("name", sorted(MIXING))
@pytest.mark.parametrize("batch", [2, 3, 4])
def test_mixing_examples_is_demoted_not_wrong(name, batch):
    torch.manual_seed(5)
    module = Changed(MIXING[name])
    probe = assert_agrees(module, torch.randn(batch, 4), torch.zeros(batch), some_points(module))
    if name == "neighbours" and batch % 2 == 0:
        return  # pairs within a point's own rows are no mixing
    if name == "neighbours":
        assert probe.route in ("vmapped", "rank_one")  # depends on the size, not wrongly here
        return
    assert probe.route != "rank_one"
    assert probe.reasons
    if name in READS:
        assert probe.route == "point_by_point"


def test_the_reason_is_logged_once(caplog):
    module = Changed(MIXING["mean"])
    probe = TorchProbe(module, sum_outputs, Rows(torch.randn(3, 4), torch.zeros(3)))
    with caplog.at_level(logging.WARNING):
        for round in range(3):
            probe(initial_weights(module), some_points(module, round=round), np.arange(3))
    assert len(caplog.records) == 1
    assert "torch.Tensor.mean" in caplog.records[0].getMessage()
    assert "torch.Tensor.mean" in probe.reasons[0]


def test_a_recurrent_module_with_the_batch_on_axis_1_of_its_last_state():
    """Also the truth of the slow truth: functional_call must reach an LSTM's flat weights."""
    module = nn.LSTM(3, 4, batch_first=True)
    x, y = torch.randn(5, 2, 3), torch.randn(5, 2, 4)
    loss = lambda output, target: mean_square(output[0], target)  # noqa: E731
    weights, points = initial_weights(module), some_points(module)
    probe = TorchProbe(module, loss, Rows(x, y))
    found = probe(weights, points, np.arange(5))
    assert probe.route == "rank_one"
    assert not probe.slow
    expected, _ = true_losses(module, weights, points, (x, y), loss)
    assert np.abs(found - expected).max() < 64 * 2**-23
    assert len({*found}) == len(points)


def test_batch_norm_without_running_statistics_is_refused():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False))
    with pytest.raises(ModelError, match=r"1 is BatchNorm1d .* GroupNorm"):
        TorchProbe(module, sum_outputs, Rows(torch.randn(2, 3), torch.zeros(2)))


def test_dropout_and_batch_norm_in_training_mode_are_fine():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.9), nn.Linear(4, 2))
    module.train()
    before = bits(module)
    probe = assert_agrees(module, torch.randn(6, 3), torch.zeros(6), some_points(module))
    assert probe.route == "rank_one"
    assert bits(module) == before
    assert all(part.training for part in module.modules())


def test_an_input_written_to_by_the_module_stays():
    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            return self.layer(x.mul_(2)) + x.sum(1, keepdim=True)

    module, x = Writes(), torch.randn(4, 3)
    kept = x.clone()
    assert_agrees(module, x, torch.zeros(4), some_points(module))
    assert torch.equal(x, kept)


def test_a_module_that_writes_into_its_weights_goes_point_after_point():
    class Renorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(5, 3, max_norm=1.0)

        def forward(self, x):
            return self.table(x)

    module = Renorm()
    before = bits(module)
    probe = TorchProbe(module, sum_outputs, Rows(torch.arange(4), torch.zeros(4)))
    probe(initial_weights(module), some_points(module), np.arange(4))
    assert "embedding" in str(probe.slow) or probe.route != "rank_one"
    assert bits(module) == before


def test_another_shape_is_checked_again():
    """A module that treats examples alike only up to some batch size."""
    module = Changed(lambda h: h - h.mean(0, keepdim=True) if h.shape[0] > 40 else h)
    rows = Rows(torch.randn(60, 4), torch.zeros(60))
    probe = TorchProbe(module, sum_outputs, rows, chunk=4)
    weights, points = initial_weights(module), some_points(module)
    for batch, route in ((4, "rank_one"), (60, "vmapped"), (4, "rank_one")):
        numbers = np.arange(batch)
        found = probe(weights, points, numbers)
        expected, scale = true_losses(module, weights, points, rows.batch(numbers), sum_outputs)
        assert np.abs(found - expected).max() < 1e-4 * scale
        assert probe.route == route


def test_a_fast_route_that_fails_later_is_replaced():
    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.limit = nn.Linear(3, 2), 100

        def forward(self, x):
            if x.shape[0] > self.limit:
                raise RuntimeError("too many rows")
            return self.layer(x)

    module = Picky()
    probe = TorchProbe(module, sum_outputs, Rows(torch.randn(4, 3), torch.zeros(4)))
    weights, points = initial_weights(module), some_points(module)
    first = probe(weights, points, np.arange(4))
    assert probe.route == "rank_one"
    module.limit = 5
    second = probe(weights, points, np.arange(4))
    assert probe.route == "one_by_one"
    assert "too many rows" in probe.reasons[-1]
    np.testing.assert_allclose(first, second, rtol=1e-4)


def test_cross_entropy_with_ignored_targets():
    module, x = nn.Linear(3, 4), torch.randn(5, 3)
    y = torch.tensor([0, -100, 3, -100, 1])
    for targets in (y, y.clamp(min=0), functional.one_hot(y.clamp(min=0), 4).float()):
        points = some_points(module)
        probe = assert_agrees(module, x, targets, points, functional.cross_entropy)
        assert probe.route == "rank_one"


class Scripted(nn.Module):
    """Half of it is compiled, so that the pass cannot see its operations."""

    def __init__(self):
        super().__init__()
        self.seen = nn.Linear(4, 4)
        self.hidden = torch.jit.script(nn.Linear(4, 3))

    def forward(self, x):
        return self.hidden(self.seen(x))


@pytest.mark.filterwarnings("ignore")  # of scripting, which torch would rather not have
@pytest.mark.parametrize("chunk", [0, 1])
def test_weights_that_cannot_be_seen(chunk):
    module = Scripted()
    probe = assert_agrees(
        module, torch.randn(5, 4), torch.zeros(5), some_points(module), chunk=chunk
    )
    assert probe.route != "rank_one"
    if chunk == 1:
        assert "a weight is read where it cannot be seen" in probe.reasons[0]


def test_a_module_that_writes_into_its_weights_by_itself():
    class Decays(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            with torch.no_grad():
                self.layer.weight.mul_(0.5)
            return self.layer(x)

    module = Decays()
    before = bits(module)
    probe = TorchProbe(module, sum_outputs, Rows(torch.randn(3, 4), torch.zeros(3)))
    found = probe(initial_weights(module), some_points(module, signs=(1, 1)), np.arange(3))
    assert bits(module) == before
    assert np.isfinite(found).all()
