"""Two of four neighbours along the input axis are kept: what some processors multiply faster."""

from __future__ import annotations

from torch import Tensor, nn

from baffle.models.prune import n_of_m
from experiments.compressed.forms.form import MASKED, Check, Form, norms_measured, zeros_of


def make(module: nn.Module, examples: Tensor) -> tuple[nn.Module, Check]:
    """Return a pruned copy."""
    found = norms_measured(n_of_m(module, 2, 4), examples)
    return found, zeros_of(found)


FORM = Form(make, MASKED)
