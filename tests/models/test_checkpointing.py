"""Checkpointing: the same bits, less kept, on whatever modules people have."""

import copy
import doctest
import sys
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from baffle.errors import ModelError
from baffle.models import build, checkpointing, segments
from baffle.models.checkpointing import Checkpointed, Twice
from baffle.models.segments import pieces_of


class InPlaceChild(nn.Module):
    """In-place layers among the children, and in front of and behind a sum."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.GroupNorm(1, 3))
        self.block = nn.Sequential(nn.Conv2d(3, 3, 1), nn.SiLU(inplace=True), nn.GroupNorm(1, 3))
        self.relu, self.last = nn.ReLU(inplace=True), nn.Linear(3, 4)

    def forward(self, x):
        x = self.relu(self.first(x))
        x = self.relu(self.block(x) + x)
        return self.last(x.mean((2, 3)))


class Block(nn.Module):
    """Changes what it is given, or takes two tensors and a word."""

    def __init__(self, in_place):
        super().__init__()
        self.one, self.two, self.in_place = nn.Linear(6, 6), nn.Linear(6, 6), in_place

    def forward(self, x, shift=None, *, scale=1.0):
        if self.in_place:
            x = nn.functional.silu(x, inplace=True)
        y = self.two(torch.tanh(self.one(x))) * scale
        return y if shift is None else y + shift


class Blocks(nn.Module):
    """A list of blocks inside a module inside another."""

    def __init__(self, in_place=False):
        super().__init__()
        self.inner = nn.Module()
        self.inner.layers = nn.ModuleList([Block(in_place) for _ in range(4)])
        self.first, self.head = nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x):
        x = shift = self.first(x)
        for layer in self.inner.layers:
            x = layer(x * 2.0, shift, scale=0.5)
        return self.head(x)


def chain(in_place=True):
    """Return a flat chain whose second segment begins with an in-place layer."""
    act = nn.SiLU(inplace=in_place)
    return nn.Sequential(
        nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 6), act,
        nn.Linear(6, 6), act, nn.Linear(6, 4),
    )  # fmt: skip


def gradients(module, x, checkpointed):
    module = copy.deepcopy(module).eval()
    twice = Checkpointed(module)
    assert twice.pieces
    with twice.on() if checkpointed else nullcontext():
        value = nn.functional.cross_entropy(module(x), torch.arange(len(x)) % 4)
    value.backward()
    return value.detach(), *(p.grad for p in module.parameters())


def shared():
    block = Block(in_place=False)
    return nn.Sequential(block, nn.Tanh(), block, Block(in_place=False), nn.Linear(6, 4))


IMAGES, ROWS = (5, 3, 4, 4), (5, 6)
CASES = {
    "in-place children": (InPlaceChild, IMAGES),
    "list of blocks": (Blocks, ROWS),
    "blocks that change their input": (lambda: Blocks(in_place=True), ROWS),
    "chain": (chain, ROWS),
    "chain in a chain": (lambda: nn.Sequential(chain(), nn.Tanh(), nn.Linear(4, 4)), ROWS),
    "one layer in two places": (shared, ROWS),
    "wrn": (lambda: build("wrn", (3, 8, 8), classes=4, seed=0), (5, 3, 8, 8)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_the_same_bits(name):
    make, shape = CASES[name]
    torch.manual_seed(0)
    module, x = make(), torch.randn(shape)
    given = x.clone()
    plain, twice = (gradients(module, x, checkpointed) for checkpointed in (False, True))
    assert all(torch.equal(a, b) for a, b in zip(plain, twice, strict=True))
    assert torch.equal(x, given)


@pytest.mark.parametrize("in_place", [False, True])
def test_what_is_given_may_need_a_gradient_and_may_be_changed(in_place):
    torch.manual_seed(0)
    block, x = Block(in_place), torch.randn(3, 6)
    twice, found = Twice(block.forward), []
    for call in (block.forward, twice, twice):  # the second call knows what the first one showed
        leaf = x.clone().requires_grad_()
        middle = leaf * 2
        call(middle, middle.exp()).sum().backward()
        found.append((leaf.grad, middle.detach()))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def layers(count):
    return [layer for _ in range(count) for layer in (nn.Linear(50, 50), nn.Tanh())]


@pytest.mark.parametrize("parts", [(8,), (4, 4)])
def test_less_is_kept_and_the_module_is_left_as_it_was(parts):
    module = nn.Sequential(*(nn.Sequential(*layers(count)) for count in parts))
    plain = kept(module)
    twice = Checkpointed(module)
    with twice.on():
        assert kept(module) < 0.7 * plain
    assert kept(module) == plain
    assert not any("forward" in part.__dict__ for part in module.modules())


def kept(module):
    """Return the bytes of layers' outputs that outlive the forward pass."""
    seen, x = {}, torch.randn(64, 50)

    def note(layer, given, output):
        storage = output.untyped_storage()
        seen[len(seen)] = (StorageWeakRef(storage), storage.nbytes())

    layers = [part for part in module.modules() if not part._modules]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    output = module(x).sum()
    alive = {ref.cdata: size for ref, size in seen.values() if not ref.expired()}
    for hook in hooks:
        hook.remove()
    assert output.requires_grad
    return sum(alive.values())


def test_no_gradients_no_second_call():
    calls = []
    twice = Twice(lambda x: calls.append(1) or x.exp())
    with torch.no_grad():
        twice(torch.ones(2, requires_grad=True))
    assert calls == [1]


def test_a_part_that_is_not_the_same_again_is_named_as_such():
    times = iter((1, 2))
    x = torch.ones(2, requires_grad=True)
    other = Twice(lambda y: y.exp().reshape(1, -1).tile(next(times), 1).exp())(x)
    with pytest.raises(ModelError, match="does something else"):
        other.sum().backward()
    y = x * 1
    later = Twice(lambda z: z.exp())(y)
    y.mul_(2)
    with pytest.raises(ModelError, match="changed in place later"):
        later.sum().backward()


@pytest.mark.parametrize(
    ("module", "sizes"),
    [
        (nn.Sequential(*[nn.Linear(2, 2) for _ in range(9)]), [3, 3, 3]),
        (nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)), []),
        (nn.Sequential(nn.Flatten(), Blocks()), [2, 2, 2, 2]),
        (nn.Linear(2, 2), []),
        (nn.ModuleList([nn.Linear(2, 2)]), []),
    ],
)
def test_the_pieces_of(module, sizes):
    assert [piece.size for piece in pieces_of(module)] == sizes


@pytest.mark.parametrize("module", [checkpointing, segments])
def test_examples(module):
    assert doctest.testmod(sys.modules[module.__name__]).failed == 0
