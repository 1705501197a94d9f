"""A module's tensors, and the way back into it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from baffle.backends.torch import initial_weights, load_weights, model_signature
from baffle.errors import ModelError
from tests.backends.helpers import bits
from tests.backends.modules import Tied


def test_signature_names_every_tensor_once():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 3).half())
    module[0].bias.requires_grad_(False)
    found = {t.name: (t.shape, t.dtype, t.trainable) for t in model_signature(module).tensors}
    assert found == {
        "0.weight": ((2, 1, 3, 3), "float32", True),
        "0.bias": ((2,), "float32", False),
        "1.weight": ((2,), "float32", True),
        "1.bias": ((2,), "float32", True),
        "1.running_mean": ((2,), "float32", False),
        "1.running_var": ((2,), "float32", False),
        "1.num_batches_tracked": ((), "int64", False),
        "2.weight": ((3, 2), "float16", True),
        "2.bias": ((3,), "float16", True),
    }


def test_tied_tensors_stand_under_their_first_name():
    signature = model_signature(Tied())
    assert [t.name for t in signature.tensors] == ["places.weight", "shift", "words.weight"]
    assert set(initial_weights(Tied())) == {t.name for t in signature.tensors}


def test_frozen_digest():
    module = nn.Linear(2, 2)
    assert model_signature(module).frozen_digest == b""
    module.register_buffer("b", torch.tensor([1.0, 2.0], dtype=torch.bfloat16))
    module.register_buffer("a", torch.tensor(3))
    module.register_buffer("empty", torch.empty(0, 4))
    expected = hashlib.sha256(bits(module)["a"] + bits(module)["b"]).digest()
    assert model_signature(module).frozen_digest == expected
    module.b += 1
    assert model_signature(module).frozen_digest != expected


def test_a_frozen_weight_counts_by_value_a_trained_one_does_not():
    module = nn.Linear(2, 2)
    same = model_signature(module)
    with torch.no_grad():
        module.weight += 1
    assert model_signature(module) == same
    module.bias.requires_grad_(False)
    frozen = model_signature(module)
    with torch.no_grad():
        module.bias += 1
    assert model_signature(module) != frozen


def test_empty_tensors():
    module = nn.Linear(3, 2)
    module.nothing = nn.Parameter(torch.empty(0, 5))
    module.register_buffer("none", torch.empty(0))
    signature = model_signature(module)
    assert len(signature.tensors) == 4
    assert set(initial_weights(module)) == {"weight", "bias"}
    load_weights(module, initial_weights(module))


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str
)
def test_there_and_back(dtype):
    module = nn.Linear(5, 3).to(dtype)
    before = bits(module) if dtype != torch.float64 else None
    weights = initial_weights(module)
    assert all(w.dtype == np.float32 and w.flags.c_contiguous for w in weights.values())
    kept = {name: id(p) for name, p in module.named_parameters()}
    load_weights(module, weights)
    assert {name: id(p) for name, p in module.named_parameters()} == kept
    assert before is None or bits(module) == before
    again = initial_weights(module)
    assert all(np.array_equal(again[n], w) for n, w in weights.items())


def test_weights_are_copies():
    module = nn.Linear(2, 2)
    weights = initial_weights(module)
    before = bits(module)
    weights["weight"] += 1
    assert bits(module) == before
    load_weights(module, weights)
    loaded = bits(module)
    weights["weight"] += 1
    assert bits(module) == loaded


def test_any_layout_of_arrays_and_tensors_is_loaded():
    module = nn.Linear(4, 3)
    w = np.arange(12, dtype=np.float32).reshape(3, 4)
    read_only = w.copy()
    read_only.flags.writeable = False
    forms = [w, np.asfortranarray(w), w[::-1][::-1], read_only, torch.from_numpy(w)]
    forms += [np.ascontiguousarray(w[::-1])[::-1], read_only.T.copy().T]
    for form in forms:
        load_weights(module, {"weight": form, "bias": np.zeros(3, np.float32)})
        assert np.array_equal(module.weight.detach().numpy(), w)
        with torch.no_grad():
            module.weight.zero_()
    assert np.array_equal(read_only, w)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_that_do_not_fit_write_nothing(change):
    module = nn.Linear(2, 2)
    before, weights = bits(module), {n: w + 1 for n, w in initial_weights(module).items()}
    if change == "missing":
        del weights["bias"]
    elif change == "extra":
        weights["other"] = weights["bias"]
    else:
        weights["bias"] = weights["bias"].reshape(1, 2)
    with pytest.raises(ModelError, match=r"bias|other"):
        load_weights(module, weights)
    assert bits(module) == before


def _shared_memory() -> nn.Module:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight = nn.Parameter(module[0].weight.detach())
    return module


UNUSABLE = {
    "nothing trained": (lambda: nn.Linear(2, 2).requires_grad_(False), "at least one trainable"),
    "no tensors": (nn.ReLU, "at least one trainable"),
    "lazy": (lambda: nn.LazyLinear(2), "run one forward"),
    "meta": (lambda: nn.Linear(2, 2, device="meta"), "meta device"),
    "complex": (lambda: nn.Linear(2, 2, dtype=torch.complex64), "complex64"),
    "shared memory": (_shared_memory, "0.weight and 1.weight share memory"),
}


@pytest.mark.parametrize("name", sorted(UNUSABLE))
def test_what_cannot_be_trained_is_named(name):
    make, message = UNUSABLE[name]
    with pytest.raises(ModelError, match=message):
        model_signature(make())
