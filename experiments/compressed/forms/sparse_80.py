"""80 % of each tensor at zero, the smallest entries."""

from __future__ import annotations

from torch import Tensor, nn

from baffle.models.prune import by_magnitude
from experiments.compressed.forms.form import MASKED, Check, Form, norms_measured, zeros_of


def make(module: nn.Module, examples: Tensor) -> tuple[nn.Module, Check]:
    """Return a pruned copy."""
    found = norms_measured(by_magnitude(module, 0.8), examples)
    return found, zeros_of(found)


FORM = Form(make, MASKED)
