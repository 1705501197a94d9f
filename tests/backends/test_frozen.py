"""A frozen beginning is computed once a pass, whatever it takes beside the trained end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from baffle.backends.torch import TorchProbe, chunking, initial_weights, selection
from baffle.backends.torch.check import tolerance
from baffle.backends.torch.survey import survey
from tests.backends.helpers import Rows, mean_square, some_points, true_losses

BATCH, WIDE = 8, 2**12
SIGNS = (1, -1) * 12


class Prefixed(nn.Module):
    """A wide frozen layer before a small trained one; it counts the passes of the wide one."""

    def __init__(self, wide: int = WIDE, told: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.frozen, self.head = nn.Linear(4, wide), nn.Linear(8, 3)
        self.frozen.requires_grad_(False)
        self.told, self.passes = told, 0
        self.frozen.register_forward_hook(lambda *_: self._count())

    def _count(self) -> None:
        self.passes += 1

    def forward(self, x):
        h = self.frozen(x).relu()
        if self.told:  # a count of rows at another place: it needs the rows of every point
            h = h.roll(len(h), 0)
        return self.head(h.unflatten(1, (8, -1)).mean(2))


def rows(batch: int = BATCH) -> Rows:
    torch.manual_seed(1)
    return Rows(torch.randn(batch, 4), torch.randn(batch, 3))


def seen(module: nn.Module, loss=mean_square):
    data = rows()
    with torch.no_grad():
        return survey(module, (data.inputs, data.targets), loss)


def probed(module: Prefixed, **more) -> TorchProbe:
    data, points, weights = rows(), some_points(module, signs=SIGNS), initial_weights(module)
    probe = TorchProbe(module, mean_square, data, **more)
    found = probe(weights, points, np.arange(BATCH))
    expected, scale = true_losses(
        module, weights, points, data.batch(np.arange(BATCH)), mean_square
    )
    assert np.abs(found - expected).max() <= tolerance(torch.float32, 12, scale)
    module.passes = 0
    probe(weights, points, np.arange(BATCH))
    return probe


def test_all_points_share_one_pass_of_the_frozen_beginning(monkeypatch):
    module = Prefixed()
    # So long a pass would by itself be a reason to take points one by one.
    monkeypatch.setattr(selection, "LARGE_PASS", seen(module).total_bytes)
    assert probed(module).route == "rank_one"
    assert module.passes == 1
    probed(module, route="point_by_point")
    assert module.passes == len(SIGNS)


def test_only_what_depends_on_a_trained_parameter_counts():
    found = seen(Prefixed())
    assert found.peak_bytes == 4 * BATCH * WIDE
    assert found.moved_peak == 4 * BATCH * 8  # what the head takes
    assert found.moved_total == 4 * BATCH * 3  # what it gives


def test_what_is_written_into_and_what_comes_after_count():
    class Late(Prefixed):
        def forward(self, x):
            h = super().forward(x)
            out = torch.zeros(len(x), 1000)
            out[:, :3] = h
            return out.cumsum(1).relu_()

    found = seen(Late(64), lambda output, target: output.mean())
    assert found.moved_peak == 4 * BATCH * 1000
    assert found.moved_total == 4 * BATCH * (3 + 1000 + 1000)


def test_nothing_changes_where_nothing_is_frozen():
    chain = nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    found = seen(chain)
    assert (found.moved_peak, found.moved_total) == (found.peak_bytes, found.total_bytes)


@pytest.mark.parametrize("told", [False, True])
def test_a_pass_takes_as_many_points_as_it_has_memory_for(told, monkeypatch):
    """An operation that needs the rows of every point holds a frozen result for each of them."""
    monkeypatch.setattr(chunking, "ACTIVATION_BYTES", 2**19)
    module = Prefixed(told=told)
    peak = seen(module).peak_bytes if told else seen(module).moved_peak
    probe = probed(module)
    (choice,) = probe._choices.values()
    assert probe.route == "rank_one"
    assert choice.chunk == 2**19 // peak
    assert module.passes == (6 if told else 1) == -(-len(SIGNS) // choice.chunk)


def test_a_trained_beginning_before_a_frozen_end_goes_as_before():
    layers = [nn.Linear(a, b) for a, b in pairwise((4, 16, 3))]
    layers[1].requires_grad_(False)
    found = seen(nn.Sequential(layers[0], nn.Tanh(), layers[1]))
    assert (found.moved_peak, found.moved_total) == (found.peak_bytes, found.total_bytes)
