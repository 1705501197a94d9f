"""Many clients in one pass: each client's losses, or one client after another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from baffle.backends.torch import TorchProbe, initial_weights
from baffle.backends.torch.check import tolerance
from baffle.backends.torch.clients import CLIENT_BYTES, clients_in_pass
from baffle.directions import KINDS
from baffle.errors import ProbeError
from tests.backends.helpers import Rows, mean_square, some_points, sum_outputs, true_losses
from tests.backends.modules import MIXING, Changed, Dicts

SIGNS = (1, -1, 1, 1, -1, 0, 1)


def data(module: nn.Module, rows: int = 40) -> Rows:
    torch.manual_seed(1)
    inputs = torch.randn(rows, 4)
    with torch.no_grad():
        return Rows(inputs, torch.randn(rows, *module(inputs).shape[1:]))


def groups(clients: int, batch: int) -> list[np.ndarray]:
    """Examples that no two clients share, in no order."""
    order = np.random.default_rng(0).permutation(40)
    return list(order[: clients * batch].reshape(clients, batch))


def mlp(classes: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Hardswish(), nn.LayerNorm(8), nn.Linear(8, classes))


def assert_each_alone(module, rows, points, loss, asked, chunk=0) -> TorchProbe:
    """Compare with the slow truth of each client on its own examples."""
    weights = initial_weights(module)
    probe = TorchProbe(module, loss, rows, chunk=chunk)
    found = probe.many(weights, points, asked)
    assert found.dtype == np.float64
    assert found.shape == (len(asked), len(points))
    for row, numbers in zip(found, asked, strict=True):
        expected, scale = true_losses(module, weights, points, rows.batch(numbers), loss)
        assert np.abs(row - expected).max() <= tolerance(torch.float32, 12, scale)
    return probe


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("chunk", [0, 1, 3, 99])
def test_each_clients_losses_are_those_of_its_own_examples(kind, chunk):
    module = mlp()
    points = some_points(module, kind, SIGNS)
    probe = assert_each_alone(module, data(module), points, mean_square, groups(6, 5), chunk)
    assert probe.apart == ()


@pytest.mark.parametrize("classes", [2, 10, 15, 16, 40])
def test_cross_entropy_has_a_way_of_its_own(classes):
    module = mlp(classes)
    torch.manual_seed(2)
    rows = Rows(torch.randn(40, 4) * 5, torch.randint(0, classes, (40,)))
    points = some_points(module, signs=SIGNS)
    probe = assert_each_alone(module, rows, points, functional.cross_entropy, groups(5, 4))
    assert probe.apart == ()


def test_ignored_classes_are_left_out_of_each_clients_own_mean():
    module = mlp()
    targets = torch.randint(0, 3, (40,))
    targets[::3] = -100
    rows = Rows(torch.randn(40, 4), targets)
    points = some_points(module, signs=SIGNS)
    assert_each_alone(module, rows, points, functional.cross_entropy, groups(4, 6))


def test_a_loss_that_vmap_cannot_take_goes_client_by_client():
    def loss(output, target):
        if output[0, 0].item() > 1e9:
            return output.sum()
        return (output - target).square().mean()

    module = mlp()
    probe = assert_each_alone(
        module, data(module), some_points(module, signs=SIGNS), loss, groups(3, 4)
    )
    assert probe.apart == ()


def test_named_inputs_and_nested_outputs():
    module = Dicts()
    rows = Rows({"left": torch.randn(40, 3), "right": torch.randn(40, 2)}, torch.zeros(40))
    probe = assert_each_alone(module, rows, some_points(module), sum_outputs, groups(4, 5))
    assert probe.apart == ()


@pytest.mark.parametrize("kind", ["rank_one", "rademacher"])
@pytest.mark.parametrize("shape", [(4, 4), (3, 3), (5, 3), (2, 6)], ids=str)
@pytest.mark.parametrize("name", sorted(MIXING))
def test_clients_that_a_module_would_mix_go_one_after_another(name, shape, kind):
    torch.manual_seed(0)
    module = Changed(MIXING[name]).eval()
    points = some_points(module, kind, SIGNS)
    probe = assert_each_alone(module, data(module), points, mean_square, groups(*shape))
    pairs_within_clients = name == "neighbours" and (shape[1] % 2 == 0 or np.prod(shape) % 2)
    assert bool(probe.apart) != bool(pairs_within_clients), probe.apart


class Doubles(nn.Module):
    """Adds to each example the mean of its batch: right for one client when mapped over points."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x) + x.mean(0)[:3]


def test_clients_with_the_same_examples_do_not_hide_that_they_are_mixed():
    module = Doubles()
    rows = data(module)
    weights, points = initial_weights(module), some_points(module, signs=SIGNS)
    probe = TorchProbe(module, mean_square, rows)
    same = [np.arange(6)] * 4
    assert np.array_equal(
        probe.many(weights, points, same), [probe(weights, points, g) for g in same]
    )
    assert_each_alone(module, rows, points, mean_square, groups(4, 6))
    found = probe.many(weights, points, groups(4, 6))
    assert np.array_equal(found, [probe(weights, points, g) for g in groups(4, 6)])
    assert probe.apart


def test_the_same_call_gives_the_same_bits_also_from_a_new_probe():
    module = mlp()
    rows, weights = data(module), initial_weights(module)
    points, asked = some_points(module, signs=SIGNS), groups(6, 5)
    probe = TorchProbe(module, mean_square, rows)
    first = probe.many(weights, points, asked)
    assert probe.many(weights, points, asked).tobytes() == first.tobytes()
    probe.many(weights, some_points(module, signs=SIGNS, round=2), groups(3, 5))
    assert probe.many(weights, points, asked).tobytes() == first.tobytes()
    other = TorchProbe(module, mean_square, rows)
    assert other.many(weights, points, asked).tobytes() == first.tobytes()


def test_one_client_no_client_no_point():
    module = mlp()
    rows, weights, points = data(module), initial_weights(module), some_points(module)
    probe = TorchProbe(module, mean_square, rows)
    alone = probe(weights, points, np.arange(5))
    assert np.array_equal(probe.many(weights, points, [np.arange(5)]), [alone])
    assert probe.many(weights, points, []).shape == (0, len(points))
    assert probe.many(weights, points.part(0, 0), groups(2, 3)).shape == (2, 0)


def test_wrong_examples_and_wrong_losses_are_named():
    module = mlp()
    rows, weights, points = data(module), initial_weights(module), some_points(module)
    with pytest.raises(ProbeError, match=r"as many examples from each client, got \[2, 3\]"):
        TorchProbe(module, mean_square, rows).many(weights, points, [np.arange(3), np.arange(3, 5)])
    with pytest.raises(ProbeError, match="at least one example"):
        TorchProbe(module, mean_square, rows).many(weights, points, [np.arange(0)] * 2)
    unreduced = TorchProbe(module, lambda o, t: (o - t).square().mean(1), rows)
    with pytest.raises(ProbeError, match="expected a scalar loss"):
        unreduced.many(weights, points, groups(3, 4))


def test_an_exception_in_forward_is_the_modules_own():
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            raise OSError("the camera is gone")

    module = Fails()
    probe = TorchProbe(module, mean_square, Rows(torch.randn(40, 4), torch.randn(40, 3)))
    with pytest.raises(OSError, match="camera"):
        probe.many(initial_weights(module), some_points(module), groups(3, 4))


def test_clients_in_a_pass_fill_the_bytes_and_are_at_least_one():
    assert clients_in_pass(1024, 8) * 1024 * 8 == CLIENT_BYTES
    assert clients_in_pass(2**40, 8) == 1
