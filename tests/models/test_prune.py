"""Pruned copies: which entries go, and that what is left is the same model."""

from __future__ import annotations

import itertools
import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import baffle
from baffle.backends.torch import initial_weights
from baffle.config import resolve
from baffle.drivers.zeros import warn_of_zeros
from baffle.errors import ModelError
from baffle.models import build
from baffle.models.advice import check_model
from baffle.models.prune import by_magnitude, n_of_m, structured

LENET = build("lenet", (1, 12, 12), 10, seed=3)


def entries(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy().copy() for name, p in module.named_parameters()}


@pytest.mark.parametrize("share", [0.001, 0.5, 0.8, 0.999])
def test_the_smallest_entries_of_each_tensor_go_and_nothing_else_changes(share):
    before, after = entries(LENET), entries(by_magnitude(LENET, share))
    for name, was in before.items():
        now = after[name]
        gone = (now == 0) & (was != 0)
        assert gone.sum() == (int(share * was.size) if was.ndim >= 2 else 0)
        np.testing.assert_array_equal(now[~gone], was[~gone])
        if gone.any():
            assert np.abs(was[gone]).max() <= np.abs(was[~gone]).min()
    assert entries(LENET)["conv1.weight"].all()  # the module itself is left


def test_of_equal_magnitudes_the_first_go():
    layer = nn.Linear(4, 2, bias=False)
    nn.init.constant_(layer.weight, -0.5)
    found = by_magnitude(layer, 0.5).weight
    assert found.tolist() == [[0.0] * 4, [-0.5] * 4]
    assert n_of_m(layer).weight.tolist() == [[0.0, 0.0, -0.5, -0.5]] * 2


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 13), st.integers(1, 3), st.integers(1, 3), st.integers(2, 5), st.data())
def test_n_of_m_neighbours_along_the_inputs_stay(inputs, outputs, kernel, m, data):
    n = data.draw(st.integers(1, m - 1))
    layer = nn.Conv1d(inputs, outputs, kernel, bias=False)
    was, now = layer.weight.detach().numpy(), n_of_m(layer, n, m).weight.detach().numpy()
    for row in range(outputs):
        for place in range(kernel):
            for start in range(0, inputs, m):
                old, new = was[row, start : start + m, place], now[row, start : start + m, place]
                kept = new != 0
                assert kept.sum() == min(n, len(old))
                np.testing.assert_array_equal(new[kept], old[kept])
                if not kept.all():
                    assert np.abs(old[~kept]).max() <= np.abs(old[kept]).min()


def test_patterns_choose_what_is_pruned():
    found = entries(by_magnitude(LENET, 0.5, ("conv2.*",)))
    assert [name for name, values in found.items() if not values.all()] == ["conv2.weight"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: by_magnitude(LENET, 1.0), "a share of zeros between 0 and 1, got 1.0"),
        (lambda: by_magnitude(LENET, 0.5, ("conv9",)), "conv9 fit none"),
        (lambda: by_magnitude(LENET, 0.5, ("*.bias",)), "two axes or more"),
        (lambda: n_of_m(LENET, 4, 4), "0 < n < m, got 4 of 4"),
        (lambda: structured(LENET, 0.0), "a share of outputs between 0 and 1"),
    ],
)
def test_what_makes_no_sense_is_refused(make, says):
    with pytest.raises(ModelError, match=says):
        make()


# --- structured


def chain() -> nn.Sequential:
    torch.manual_seed(0)
    found = nn.Sequential(
        nn.Sequential(nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        nn.Sequential(nn.Conv2d(6, 8, 3), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Linear(8 * 9, 10),
        nn.BatchNorm1d(10),
        nn.Tanh(),
        nn.Linear(10, 3),
    )
    for norm in (found[0][1], found[4]):
        nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
        norm.running_mean.uniform_(), norm.running_var.uniform_(0.5, 2)
    return found


CHAINS = {
    "chain": (chain, (2, 10, 10)),
    "lenet": (lambda: build("lenet", (1, 12, 12), 10, seed=1), (1, 12, 12)),
    "lenet5": (lambda: build("lenet5", (1, 28, 28), 10, seed=1), (1, 28, 28)),
    "mlp": (lambda: build("mlp", (8, 8), 10, seed=1, widths=(24, 16)), (8, 8)),
}


def cut(model: nn.Sequential, share: float) -> None:
    """Set to zero what the outputs that go are multiplied by, layer after layer, in place."""
    layers = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    for first, last in itertools.pairwise(layers):
        sums = first.weight.detach().double().abs().flatten(1).sum(1)
        gone = torch.argsort(sums)[: int(share * len(sums))]
        each = last.weight.shape[1] // len(sums)
        with torch.no_grad():
            for unit in gone.tolist():
                last.weight[:, unit * each : (unit + 1) * each] = 0


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("share", [0.3, 0.5])
def test_the_smaller_chain_is_the_large_one_without_what_went(name, share):
    make, shape = CHAINS[name]
    whole = make().eval()
    small, rows = structured(whole, share), torch.randn(5, *shape)
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in whole.parameters())
    assert [n for n, _ in small.named_parameters()] == [n for n, _ in whole.named_parameters()]
    cut(whole, share)
    with torch.no_grad():
        torch.testing.assert_close(small(rows), whole(rows))


def test_groups_of_a_norm_stay_alike():
    whole = build("convnet", (1, 28, 28), 10, seed=0)
    small = structured(whole, 0.5)
    assert (small.conv1.out_channels, small.norm1.num_channels, small.norm1.num_groups) == (4, 4, 2)
    rows = {tuple(row.tolist()) for row in small.conv1.weight.detach().flatten(1)}
    halves = whole.conv1.weight.detach().flatten(1).split(4)
    for half in halves:
        assert sum(tuple(row.tolist()) in rows for row in half) == 2
    assert small(torch.randn(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (nn.Sequential(nn.Conv2d(4, 4, 1, groups=2), nn.Conv2d(4, 2, 1)), "0: Conv2d"),
        (nn.Sequential(nn.Conv2d(4, 4, 1), nn.ConvTranspose2d(4, 2, 1)), "1: ConvTranspose2d"),
        (nn.Sequential(nn.Linear(4, 4), nn.Softmax(-1), nn.Linear(4, 2)), "1: Softmax"),
        (nn.Sequential(nn.Conv2d(4, 4, 1), nn.Linear(4, 2)), "1: Linear"),
        (nn.Sequential(nn.Linear(4, 4), nn.Conv2d(4, 2, 1)), "1: Conv2d"),
        (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm((3, 4)), nn.Linear(4, 2)), "1: LayerNorm"),
        (nn.Sequential(nn.Linear(4, 4), nn.GRU(4, 4), nn.Linear(4, 2)), "1: GRU"),
        (nn.Sequential(nn.Conv2d(4, 4, 1), nn.Flatten(2), nn.Conv1d(4, 2, 1)), "1: Flatten"),
    ],
)
def test_what_is_no_plain_chain_is_named(model, named):
    with pytest.raises(ModelError, match=f"got {named}"):
        structured(model, 0.5)


def test_a_layer_that_stands_twice_is_refused():
    layer = nn.Linear(4, 4)
    with pytest.raises(ModelError, match="one that stands twice"):
        structured(nn.Sequential(layer, nn.Tanh(), layer), 0.5)


def test_a_trained_layer_stays_trained_and_a_frozen_one_frozen():
    whole = build("mlp", (8,), 3, seed=0)
    whole.linear1.weight.requires_grad_(False)
    small = structured(whole, 0.5)
    assert [p.requires_grad for p in small.parameters()] == [False, True, True, True]


# --- trained by probes


def trained(tmp_path, model, directions):
    torch.manual_seed(0)
    data = [(torch.randn(8, 4), torch.randint(3, (8,))) for _ in range(2)]
    config = {
        "probe": {"num_directions": 16, "directions": directions, "batch": 4},
        "update": {"step_size": 0.05},
        "engine": {"threads": 1, "chunk": 8, "clients": 1},
    }
    loss = nn.functional.cross_entropy
    baffle.federate(model, data, loss=loss, rounds=2, config=config, run_dir=tmp_path / "run")


def test_masked_directions_keep_zeros_and_others_are_warned_of(tmp_path, caplog):
    pruned = by_magnitude(nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)), 0.5)
    zeros = {name: values == 0 for name, values in entries(pruned).items()}
    with caplog.at_level(logging.WARNING, "baffle.drivers.zeros"):
        trained(tmp_path / "kept", pruned, "masked")
        for name, values in entries(pruned).items():
            if values.ndim >= 2:
                np.testing.assert_array_equal(values == 0, zeros[name])
        assert not caplog.records
        trained(tmp_path / "filled", pruned, "rank_one")
    assert all(values.all() for values in entries(pruned).values())
    assert "21 entries of a pruned model are zero (0.weight, 2.weight)" in caplog.text
    assert 'probe.directions = "masked"' in caplog.text


def test_who_is_not_warned(caplog):
    dense, pruned = initial_weights(LENET), initial_weights(by_magnitude(LENET, 0.5))
    warn_of_zeros(resolve({}), dense)
    warn_of_zeros(resolve({"probe": {"directions": "masked"}}), pruned)
    warn_of_zeros(resolve({"algorithm": "fedavg"}), pruned)
    assert not caplog.records
    warn_of_zeros(resolve({"probe": {"directions": "gaussian"}}), pruned)
    assert "gaussian directions fill them" in caplog.text


def test_the_advice_names_pruned_tensors_only():
    def named(module):
        return [f.where for f in check_model(module) if "masked" in f.what]

    assert named(by_magnitude(LENET, 0.5)) == ["conv1.weight", "conv2.weight", "head.weight"]
    assert named(LENET) == named(structured(LENET, 0.5)) == []
    zero = nn.Linear(3, 2)
    nn.init.zeros_(zero.weight)  # as LoRA's second factor begins: it has to move
    assert named(zero) == []
