from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from baffle.backends.torch import TorchProbe, initial_weights, load_weights, model_signature
from baffle.directions import Place, Points, make_kind
from baffle.drivers.local.task import TensorExamples
from baffle.errors import ModelError
from baffle.models.init import initialise, uniform
from baffle.models.lora import LoRA, add_lora, merge_lora
from baffle.models.trained_part import features, split_frozen, train_only


def network() -> nn.Sequential:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, padding_mode="circular"),
        nn.Conv2d(8, 8, 3, padding="same", groups=8),
        nn.Conv2d(8, 6, 1),
        nn.Flatten(),
        nn.Linear(96, 5),
    )
    initialise(model, seed=0)
    return model


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def moved(model: nn.Module) -> None:
    """Give each trained tensor other values, so that no adapter is zero."""
    for name, values in initial_weights(model).items():
        more = uniform(values.shape, 0.2, 0, name)
        model.get_parameter(name).data += torch.from_numpy(more)


def test_the_first_model_is_the_one_that_was_given(images):
    model = network()
    before = model(images)
    assert add_lora(model, rank=2) == ["0", "2", "4", "6"]  # not the depthwise one
    assert torch.equal(model(images), before)


def test_only_adapters_are_trained_and_seen_as_trained():
    model = network()
    add_lora(model, rank=2, targets=["4", "6"])
    trained = [t.name for _, t in model_signature(model).trained]
    assert sorted(trained) == ["4.down", "4.up", "6.down", "6.up"]
    assert model_signature(model).dimension == 2 * (8 + 6) + 2 * (96 + 5)
    one = network()
    add_lora(one, rank=2, targets=["4", "6"], freeze_down=True)
    assert model_signature(one).dimension == 2 * 6 + 2 * 5


def test_an_adapted_layer_is_the_layer_with_the_product_added(images):
    model = network()
    add_lora(model, rank=2)
    moved(model)
    expected = model(images)
    merged = copy.deepcopy(model)
    assert merge_lora(merged) == ["0", "2", "4", "6"]
    assert not any(isinstance(part, LoRA) for part in merged.modules())
    assert torch.allclose(merged(images), expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(network()(images), expected, atol=1e-2)


def test_a_layer_in_two_places_has_one_adapter_and_is_merged_once():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    add_lora(model, rank=1)
    assert model[0] is model[2]
    moved(model)
    x = torch.ones(2, 4)
    expected = model(x)
    merge_lora(model)
    assert model[0] is model[2]
    assert torch.allclose(model(x), expected, atol=1e-6)


class Tied(nn.Module):
    """A head whose weight is the embedding's, and two layers of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(7, 6), nn.Linear(6, 7, bias=False)
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 6)
        self.head.weight, self.two.weight = self.words.weight, self.one.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.two(torch.tanh(self.one(self.words(x))))))


def test_merging_moves_nothing_that_a_weight_was_tied_to():
    torch.manual_seed(0)
    model = Tied()
    assert add_lora(model, rank=2) == ["head", "one", "two"]
    moved(model)
    x, words = torch.arange(7), model.words.weight.clone()
    expected = model(x)
    merge_lora(model)
    assert torch.allclose(model(x), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(model.words.weight, words)
    assert not torch.allclose(model.head.weight, words, atol=1e-2)
    assert not any(p.requires_grad for p in model.parameters())


def test_adapters_are_a_function_of_seed_and_name():
    models = [network() for _ in range(3)]
    for model, seed in zip(models, (3, 3, 4), strict=True):
        add_lora(model, rank=2, seed=seed)
    one, same, other = (model[0].down for model in models)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert float(one.detach().abs().max()) <= 27**-0.5
    assert not torch.equal(models[0][0].down[:, :3, 0, 0], models[0][4].down[:, :3, 0, 0])


@pytest.mark.parametrize(
    ("rank", "targets", "what"),
    [
        (0, "*", "a rank from 1"),
        (7, "4", "4: expected a rank from 1 to 6, got 7"),
        (1, "3", "got 3"),
    ],
)
def test_a_wrong_rank_or_pattern_is_named_and_changes_nothing(rank, targets, what):
    model = network()
    with pytest.raises(ModelError, match=what):
        add_lora(model, rank, [targets])
    assert all(p.requires_grad for p in model.parameters())
    assert not any(isinstance(part, LoRA) for part in model.modules())


def test_a_bare_layer_and_a_second_adapter_are_refused():
    with pytest.raises(ModelError, match="wrap it"):
        add_lora(nn.Linear(3, 3), rank=1)
    model = nn.Sequential(nn.Linear(3, 3))
    add_lora(model, rank=1)
    with pytest.raises(ModelError, match="expected patterns"):
        add_lora(model, rank=1)


def probed(model: nn.Module, x: torch.Tensor, **options: str) -> tuple[TorchProbe, np.ndarray]:
    y = torch.arange(len(x)) % 5
    probe = TorchProbe(model, nn.functional.cross_entropy, TensorExamples(x, y), 4, 1, **options)
    directions, exponents = np.arange(8, dtype=np.uint32), (-4,) * len(probe.signature.trained)
    points = Points(
        Place(key=5, round=0), make_kind("rank_one", 5), exponents, directions, np.ones(8, np.int8)
    )
    return probe, probe(initial_weights(model), points, np.arange(len(x)))


def test_adapters_are_probed_in_the_batched_pass_as_by_perturbed_copies(images):
    model = network()
    add_lora(model, rank=2)
    moved(model)
    fast, found = probed(model, images, route="rank_one")
    assert fast.route == "rank_one"
    assert not fast.slow
    copies, truth = probed(model, images, route="point_by_point")
    assert copies.route == "point_by_point"
    np.testing.assert_allclose(found, truth, rtol=1e-5, atol=1e-5)


def test_at_the_start_the_loss_moves_with_b_alone(images):
    model = network()
    add_lora(model, rank=2)
    weights, target = initial_weights(model), torch.arange(6) % 5
    losses = []
    for roles in ((), (".down",), (".up",)):
        load_weights(model, {n: w + 0.1 * n.endswith(roles or ("?",)) for n, w in weights.items()})
        losses.append(nn.functional.cross_entropy(model(images), target).item())
    assert losses[0] == losses[1] != losses[2]


def test_train_only_freezes_the_rest_and_names_a_pattern_that_fits_nothing():
    model = network()
    kept = ["0.bias", "2.bias", "3.bias", "4.bias", "6.weight", "6.bias"]
    assert train_only(model, ["6.*", "*.bias"]) == kept
    assert [name for name, p in model.named_parameters() if p.requires_grad] == kept
    with pytest.raises(ModelError, match=r"'head\.\*' fits none"):
        train_only(model, ["6.*", "head.*"])


def test_the_rest_on_features_gives_what_the_whole_gives(images):
    model = network()
    add_lora(model, rank=2, targets=["4"])
    train_only(model, ["*.up", "6.*"])
    moved(model)
    frozen, rest = split_frozen(model)
    assert [len(frozen), len(rest)] == [4, 3]
    assert initial_weights(rest).keys() == initial_weights(model).keys()
    known = features(frozen, images, batch=4)
    assert torch.allclose(rest(known), model(images), rtol=1e-5, atol=1e-6)
    assert not known.requires_grad
    with pytest.raises(ModelError, match="all its parameters are frozen"):
        split_frozen(model.requires_grad_(False))
