"""A subject small enough that nothing takes time."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from baffle.bench.modules import in_segments
from baffle.bench.modules.subject import Subject


def batch(examples, generator):
    inputs = torch.randn(examples, 4, generator=generator)
    return inputs, torch.randint(3, (examples,), generator=generator)


def subject(build=None, loss=cross_entropy):
    return Subject(
        name="tiny",
        about="two linear layers",
        build=build or (lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))),
        batch=batch,
        loss=loss,
        batches=(3,),
        blocks=in_segments(0, 2) if build is None else lambda module: [],
    )
