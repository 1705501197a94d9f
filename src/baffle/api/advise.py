"""`baffle.advise`: which way of training someone's own model suits a device."""

from __future__ import annotations

from typing import Any

from torch import nn

from baffle.bench.advise.asking import Question, ask, ask_here
from baffle.bench.advise.device import Device
from baffle.bench.advise.given import Given, Loss, Named, likely_loss
from baffle.bench.advise.learning import Federation
from baffle.bench.advise.rule import Advice
from baffle.errors import ConfigError


def advise(
    model: nn.Module | str,
    example: tuple[Any, Any] | None = None,
    *,
    loss: Loss = likely_loss,
    federation: Federation = Federation(),  # noqa: B008
    device: Device = Device(),  # noqa: B008
    **how: Any,
) -> Advice:
    """Measure a few rounds by probes and a few training steps here, and say which to take.

    The rule: what the device cannot do is out (gradients, memory); of the rest, the fewest hours of
    computing and sending win. See `baffle.bench.advise.rule`.

    Args:
        model: a module, whose parameters that require gradients are trained; it is left as it is.
            Or its name as `baffle check` takes it, which is then measured in fresh processes.
        example: (inputs, targets) with the examples on axis 0, for a module.
        loss: (output, target) to the batch's mean loss, for a module.
        federation: clients, participation, examples a client.
        device: memory, speed beside this machine, link, whether it computes gradients.
        how: `directions`, `batch`, `training_batch`, `seconds`, `threads`; see `Question`.

    Returns:
        Every way with its cost and verdict, the best one, how sure that is, and what would change
        it. `baffle.report.advised` makes text of it.

    Raises:
        ConfigError, ModelError, DataError: what was expected, what came.

    Example:
        >>> import torch
        >>> rows, targets = torch.randn(8, 3), torch.randint(2, (8,))
        >>> found = advise(torch.nn.Linear(3, 2), (rows, targets), seconds=0.01)
        >>> len(found.verdicts)
        4
    """
    question = Question(federation, device, **how)
    if isinstance(model, str):
        return ask([Named(model)], question)
    if example is None:
        raise ConfigError("a module needs an example: expected (inputs, targets), got none")
    return ask_here(Given(model, *example, loss), question)
