"""The measured modules: from a seed, of the size they claim, the same when checkpointed."""

import pytest
import torch

from baffle.bench.modules import (
    SUBJECTS,
    batch_of,
    checkpoint_blocks,
    module_of,
    subject_of,
    subjects_on,
)
from baffle.errors import ConfigError

ON_CPU = subjects_on("cpu")
PARAMETERS = {
    "mlp": 6 * (768 * 768 + 768),
    "lenet5": 61_706,
    "wrn": 302_794,
    "mobilenet_v2": 3_504_872,  # as published
}


def bits(module):
    return [p.detach().numpy().tobytes() for p in (*module.parameters(), *module.buffers())]


@pytest.mark.parametrize("name", ON_CPU)
def test_a_module_is_a_function_of_the_seed_and_leaves_random_state(name):
    before = torch.random.get_rng_state()
    subject = subject_of(name)
    assert bits(module_of(subject)) == bits(module_of(subject))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not module_of(subject).training


@pytest.mark.parametrize("name", PARAMETERS)
def test_sizes(name):
    module = module_of(subject_of(name))
    assert sum(p.numel() for p in module.parameters()) == PARAMETERS[name]


def test_the_large_transformer_has_about_a_billion():
    with torch.device("meta"):
        module = SUBJECTS["transformer_1b"].build()
    assert 0.95e9 < sum(p.numel() for p in module.parameters()) < 1.05e9
    assert subjects_on("cuda") == ["transformer_1b"]


@pytest.mark.parametrize("name", ON_CPU)
def test_outputs_neither_vanish_nor_explode(name):
    subject = subject_of(name)
    inputs, targets = batch_of(subject, 3)
    with torch.no_grad():
        output = module_of(subject)(inputs)
    assert 1e-3 < float(output.std()) < 1e2
    assert bool(torch.isfinite(subject.loss(output, targets)))


@pytest.mark.parametrize("name", ON_CPU)
def test_checkpointing_changes_no_gradient(name):
    subject = subject_of(name)
    inputs, targets = batch_of(subject, 2)
    gradients = []
    for checkpointed in (False, True):
        module = module_of(subject)
        parameters = dict(module.named_parameters())
        if checkpointed:
            checkpoint_blocks(subject, module)
        subject.loss(module(inputs), targets).backward()
        gradients.append([p.grad for p in parameters.values()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("name", ON_CPU)
def test_checkpointing_computes_every_block_twice(name):
    subject = subject_of(name)
    inputs, targets = batch_of(subject, 1)
    module, calls = module_of(subject), []
    blocks = checkpoint_blocks(subject, module)
    for block in blocks:
        leaf = next(m for m in block.modules() if not list(m.children()))
        leaf.register_forward_hook(lambda *_: calls.append(1))
    subject.loss(module(inputs), targets).backward()
    assert len(blocks) > 1
    assert len(calls) == 2 * len(blocks)


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="mlp, transformer"):
        subject_of("vgg")
