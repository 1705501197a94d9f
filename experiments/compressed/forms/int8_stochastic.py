"""int8 weights, moved by whole steps and kept on them: each update is rounded stochastically."""

from __future__ import annotations

from torch import Tensor, nn

from baffle.int8 import to_int8
from experiments.compressed.forms.form import Check, Form, int8_of


def make(module: nn.Module, examples: Tensor) -> tuple[nn.Module, Check]:
    """Return the int8 form."""
    found = to_int8(module, [examples])
    return found, int8_of(found, between=False)


FORM = Form(make, {"update": {"rounding": "stochastic"}}, own_step=True)
