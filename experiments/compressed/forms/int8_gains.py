"""int8 weights that stay; a gain a channel and the biases are trained."""

from __future__ import annotations

from torch import Tensor, nn

from baffle.int8 import to_int8
from experiments.compressed.forms.form import Check, Form, shapes_of


def make(module: nn.Module, examples: Tensor) -> tuple[nn.Module, Check]:
    """Return the int8 form."""
    found = to_int8(module, [examples], trained="gains", room=1)
    return found, shapes_of(found)


FORM = Form(make, own_step=True)
