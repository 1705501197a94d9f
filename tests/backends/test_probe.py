"""What a caller may rely on: bits of weights, determinism, errors, numbers passed through."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from baffle.backends.torch import TorchProbe, evaluate, initial_weights, load_weights
from baffle.backends.torch import loading as loading_module
from baffle.backends.torch.check import tolerance
from baffle.directions import KINDS
from baffle.errors import ModelError, ProbeError
from tests.backends.helpers import (
    Rows,
    assert_agrees,
    bits,
    mean_square,
    some_points,
    sum_outputs,
    true_losses,
)

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def mlp(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3)).to(dtype)


def rows(batch: int = 5, dtype: torch.dtype = torch.float32) -> Rows:
    torch.manual_seed(1)
    return Rows(torch.randn(batch, 6).to(dtype), torch.randn(batch, 3))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_precision(dtype, kind):
    module, data = mlp(dtype), rows(dtype=dtype)
    weights = initial_weights(module)
    points = some_points(module, kind, (1, -1, 0, 1, -1))
    probe = TorchProbe(module, mean_square, data)
    before = bits(module)
    found = probe(weights, points, np.arange(5))
    assert bits(module) == before
    expected, scale = true_losses(module, weights, points, data.batch(np.arange(5)), mean_square)
    assert np.abs(found - expected).max() <= tolerance(dtype, 12, scale)
    assert probe.route == ("rank_one" if kind == "rank_one" else "vmapped")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_float32_state_is_loaded_by_a_cast(dtype):
    module = mlp(dtype)
    weights = {name: w + np.float32(0.3) for name, w in initial_weights(module).items()}
    TorchProbe(module, mean_square, rows(dtype=dtype))(weights, some_points(module), np.arange(2))
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter.detach(), torch.from_numpy(weights[name]).to(dtype))


@pytest.mark.parametrize("kind", ["rank_one", "gaussian"])
def test_same_chunk_same_bits_other_chunk_same_numbers(kind):
    module, data = mlp(), rows(7)
    weights, signs = initial_weights(module), (1, -1) * 8 + (0,)
    points, numbers = some_points(module, kind, signs), np.arange(7)
    base = TorchProbe(module, mean_square, data)(weights, points, numbers)
    for chunk in (1, 2, 5, 16, 17, 99):
        probe = TorchProbe(module, mean_square, data, chunk=chunk)
        first, second = (probe(weights, points, numbers) for _ in range(2))
        assert first.tobytes() == second.tobytes()
        again = TorchProbe(module, mean_square, data, chunk=chunk)(weights, points, numbers)
        assert first.tobytes() == again.tobytes()
        assert np.abs(first - base).max() <= tolerance(torch.float32, 10, 1 + base.max())


class Fails(nn.Module):
    """Raises at the given forward pass, counted from its making."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.layer, self.left = nn.Linear(6, 3), at

    def forward(self, x):
        y = self.layer(x)
        self.left -= 1
        if self.left < 0:
            raise OSError("the camera is gone")
        return y


@pytest.mark.parametrize("kind", ["rank_one", "rademacher"])
@pytest.mark.parametrize("at", [0, 1, 3, 6])
def test_an_exception_in_forward_leaves_everything_as_it_was(at, kind):
    module = Fails(at).train()
    probe = TorchProbe(module, mean_square, rows(), threads=1)
    before, threads = bits(module), torch.get_num_threads()
    weights, points = initial_weights(module), some_points(module, kind)
    with pytest.raises(OSError, match="camera"):  # noqa: PT012
        for _ in range(4):
            probe(weights, points, np.arange(5))
    assert bits(module) == before
    assert module.training
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()


def test_buffers_and_frozen_weights_are_never_moved():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.frozen = nn.Linear(6, 3), nn.Linear(3, 3)
            self.frozen.requires_grad_(False)
            self.register_buffer("shift", torch.ones(3))

        def forward(self, x):
            return self.frozen(self.layer(x)) + self.shift

    module = Fixed()
    for kind in KINDS:
        assert_agrees(module, rows().inputs, rows().targets, some_points(module, kind), mean_square)


LOSSES = {
    "one number an example": (
        lambda o, t: (o - t).square().mean(1),
        r"scalar loss, got shape \(5,",
    ),
    "a float": (lambda o, t: 1.0, "scalar tensor, got float"),
    "an integer": (lambda o, t: (o - t).square().mean().long(), "float32 or float64, got .*int64"),
    "half": (lambda o, t: (o - t).square().mean().half(), "float32 or float64, got .*float16"),
    "nothing": (lambda o, t: None, "scalar tensor, got NoneType"),
}


@pytest.mark.parametrize("kind", ["rank_one", "gaussian"])
@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_wrong_loss_is_named(name, kind):
    loss, message = LOSSES[name]
    module = mlp()
    with pytest.raises(ProbeError, match=message):
        TorchProbe(module, loss, rows())(
            initial_weights(module), some_points(module, kind), np.arange(5)
        )


def test_no_examples_and_no_points():
    module = mlp()
    probe = TorchProbe(module, mean_square, rows())
    with pytest.raises(ProbeError, match="at least one example"):
        probe(initial_weights(module), some_points(module), np.arange(0))
    none = some_points(module).part(0, 0)
    assert probe(initial_weights(module), none, np.arange(5)).shape == (0,)


def test_a_loss_that_vmap_cannot_take_goes_point_by_point():
    def loss(output, target):
        if output[0, 0].item() > 1e9:
            return output.sum()
        return (output - target).square().mean()

    module = mlp()
    data = rows()
    probe = assert_agrees(module, data.inputs, data.targets, some_points(module), loss)
    assert probe.route == "rank_one"


@pytest.mark.parametrize("kind", ["rank_one", "rademacher"])
def test_infinities_and_nan_are_passed_through(kind):
    def loss(output, target):
        total = output.sum()
        return torch.where(total > 0, total / 0.0, torch.nan)

    module = mlp()
    found = TorchProbe(module, loss, rows())(
        initial_weights(module), some_points(module, kind, (1, -1, 1, -1, 1, 1)), np.arange(5)
    )
    assert not np.isfinite(found).any()


def test_nan_later_does_not_change_the_route():
    module = mlp()
    probe = TorchProbe(module, mean_square, rows())
    weights = initial_weights(module)
    probe(weights, some_points(module), np.arange(5))
    weights["0.weight"] = np.full_like(weights["0.weight"], np.nan)
    assert np.isnan(probe(weights, some_points(module), np.arange(5))).all()
    assert probe.route == "rank_one"


def test_weights_that_do_not_fit():
    module = mlp()
    probe = TorchProbe(module, mean_square, rows())
    weights, before = initial_weights(module), bits(module)
    weights["0.bias"] = weights["0.bias"][:-1]
    with pytest.raises(ModelError, match=r"0\.bias"):
        probe(weights, some_points(module), np.arange(5))
    assert bits(module) == before


def test_weights_changed_in_place_are_seen():
    module = mlp()
    probe = TorchProbe(module, mean_square, rows())
    weights, points = initial_weights(module), some_points(module)
    first = probe(weights, points, np.arange(5))
    weights["0.weight"] += 1
    assert not np.array_equal(first, probe(weights, points, np.arange(5)))


def test_read_only_weights_are_loaded_once(monkeypatch):
    module = mlp()
    loads = []
    monkeypatch.setattr(
        loading_module, "load_weights", lambda *a: (loads.append(1), load_weights(*a))
    )
    points = some_points(module)
    weights = {name: w.copy() for name, w in initial_weights(module).items()}
    for array in weights.values():
        array.flags.writeable = False
    probe = TorchProbe(module, mean_square, rows())
    first = probe(weights, points, np.arange(5))
    assert np.array_equal(first, probe(dict(weights), points, np.arange(5)))
    assert len(loads) == 1
    other = {name: w + 1 for name, w in weights.items()}
    evaluate(module, other, rows(), mean_square)  # writes into the module behind the probe's back
    assert np.array_equal(first, probe(weights, points, np.arange(5)))
    assert len(loads) == 2
    view = {name: w.view() for name, w in other.items()}
    for array in view.values():
        array.flags.writeable = False  # but what it views is not
    for _ in range(2):
        probe(view, points, np.arange(5))
    assert len(loads) == 4


def test_clients_with_the_same_points_share_the_draw():
    module = mlp()
    probe = TorchProbe(module, mean_square, rows())
    weights = initial_weights(module)
    points = some_points(module)
    a, b = (probe(weights, points, np.arange(5)) for _ in range(2))
    assert a.tobytes() == b.tobytes()
    other = some_points(module, round=2)
    c = probe(weights, other, np.arange(5))
    fresh = TorchProbe(module, mean_square, rows())(weights, other, np.arange(5))
    assert c.tobytes() == fresh.tobytes()
    assert not np.array_equal(a, c)


def test_threads_are_restored():
    before = torch.get_num_threads()
    seen = []

    def loss(output, target):
        seen.append(torch.get_num_threads())
        return mean_square(output, target)

    module = mlp()
    probe = TorchProbe(module, loss, rows(), threads=before + 1)
    probe(initial_weights(module), some_points(module), np.arange(5))
    assert set(seen) == {before + 1}
    assert torch.get_num_threads() == before


def test_gradients_are_never_recorded():
    module = mlp()
    TorchProbe(module, sum_outputs, rows())(
        initial_weights(module), some_points(module), np.arange(5)
    )
    assert all(p.grad is None and p.requires_grad for p in module.parameters())


def test_a_module_can_still_be_trained_by_other_means():
    class Caches(nn.Module):
        """Keeps a tensor from its first forward pass, as rotary embeddings do."""

        def __init__(self):
            super().__init__()
            self.layer, self.kept = nn.Linear(6, 3), None

        def forward(self, x):
            if self.kept is None:
                self.kept = torch.ones(3)
            return self.layer(x) * self.kept

    module = Caches()
    TorchProbe(module, sum_outputs, rows())(
        initial_weights(module), some_points(module), np.arange(5)
    )
    module(rows().inputs).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
