"""Operations without a rule go point after point inside the batched pass, and are named once."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from baffle.backends.torch import TorchProbe, initial_weights
from tests.backends.helpers import Rows, assert_agrees, some_points, sum_outputs


class Odd(nn.Module):
    """A linear layer, then an operation that no rule has, then another."""

    def __init__(self, function) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 2)
        self.centres, self.function = nn.Parameter(torch.randn(4, 4)), function

    def forward(self, x):
        return self.second(self.function(torch.tanh(self.first(x)), self.centres))


ODD = {
    "lengths": (lambda h, c: torch.hypot(h, c[0]), "hypot"),
    "cross": (lambda h, c: torch.linalg.cross(h[:, :3], c[:1, :3]).repeat(1, 2)[:, :4], "cross"),
    "solve": (lambda h, c: torch.linalg.solve(c @ c.t() + torch.eye(4), h.t()).t(), ""),
    "kron with a keyword": (lambda h, c: torch.heaviside(h, values=c[0]) + h, "heaviside"),
    "mixing examples": (lambda h, c: h - torch.logaddexp(h, c[0]), "logaddexp"),
}


@pytest.mark.parametrize("name", sorted(ODD))
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_an_operation_without_a_rule_is_right(name, batch, chunk):
    torch.manual_seed(3)
    function, slow = ODD[name]
    module = Odd(function)
    x = torch.randn(batch, 4)
    probe = assert_agrees(
        module, x, torch.zeros(batch), some_points(module), operations=40, chunk=chunk
    )
    if slow and chunk != 1:
        assert probe.route == "rank_one", probe.reasons
        assert any(slow in operation for operation in probe.slow)


def test_it_is_named_once(caplog):
    module = Odd(lambda h, c: torch.hypot(h, c[0]))
    probe = TorchProbe(module, sum_outputs, Rows(torch.randn(3, 4), torch.zeros(3)))
    with caplog.at_level(logging.WARNING):
        for round in range(3):
            probe(initial_weights(module), some_points(module, round=round), np.arange(3))
    assert [r.getMessage() for r in caplog.records] == [
        "torch.hypot has no rule for all points at once: it goes point after point"
    ]


def test_an_operation_that_writes_into_an_activation_falls_off_the_batched_pass():
    module = Odd(lambda h, c: h.index_copy_(1, torch.tensor([0]), c[: len(h), :1] * 2))
    probe = assert_agrees(module, torch.randn(3, 4), torch.zeros(3), some_points(module))
    assert probe.route != "rank_one"


def test_a_batch_norm_with_trained_statistics():
    class Trained(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.mean = nn.Linear(4, 3), nn.Parameter(torch.randn(3))
            self.register_buffer("var", torch.rand(3) + 0.5)

        def forward(self, x):
            return functional.batch_norm(self.layer(x), self.mean, self.var)

    module = Trained()
    probe = assert_agrees(module, torch.randn(5, 4), torch.zeros(5), some_points(module))
    assert probe.route == "rank_one"
