"""`baffle.advise`: which way of training suits a device, and which of several models to train."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, overload

import torch
from torch import nn

from baffle.bench.advise.among import Limits, Make, ask_among, makers
from baffle.bench.advise.asking import Question, ask, ask_here
from baffle.bench.advise.choosing import Choice
from baffle.bench.advise.device import Device
from baffle.bench.advise.given import Given, Loss, Named, likely_loss
from baffle.bench.advise.learning import Federation
from baffle.bench.advise.rule import Advice
from baffle.bench.advise.short_run import EVALUATIONS, ShortRun
from baffle.data import Dataset, load
from baffle.errors import ConfigError

Models = Sequence[str] | Mapping[str, nn.Module]
EXAMPLES = 32  # of the data, that a module's costs are measured on


@overload
def advise(
    model: nn.Module | str,
    example: tuple[Any, Any] | None = ...,
    *,
    loss: Loss = ...,
    federation: Federation = ...,
    device: Device = ...,
    **how: Any,
) -> Advice: ...


@overload
def advise(
    model: Models,
    *,
    data: Dataset | str,
    federation: Federation = ...,
    device: Device = ...,
    max_weights: int = ...,
    evaluations: float = ...,
    key: int = ...,
    costs: bool = ...,
    **how: Any,
) -> Choice: ...


def advise(
    model: nn.Module | str | Models,
    example: tuple[Any, Any] | None = None,
    *,
    loss: Loss = likely_loss,
    federation: Federation = Federation(),  # noqa: B008
    device: Device = Device(),  # noqa: B008
    data: Dataset | str = "",
    max_weights: int = 0,
    evaluations: float = EVALUATIONS,
    key: int = 0,
    costs: bool = True,
    **how: Any,
) -> Advice | Choice:
    """Measure a few rounds by probes and a few training steps here, and say which to take.

    The rule: what the device cannot do is out (gradients, memory); of the rest, the fewest hours of
    computing and sending win. See `baffle.bench.advise.rule`. Several models are first trained by
    probes on the data's train rows, each for as many evaluations, and the one of the least training
    loss is taken; see `baffle.bench.advise.choosing`.

    Args:
        model: a module, whose parameters that require gradients are trained; it is left as it is.
            Or its name as `baffle check` takes it, which is then measured in fresh processes.
            Or several: a list of such names, or modules by name.
        example: (inputs, targets) with the examples on axis 0, for a module.
        loss: (output, target) to the batch's mean loss, for a module.
        federation: clients, participation, examples a client.
        device: memory, speed beside this machine, link, whether it computes gradients.
        data: what several models are trained on, or its name; its rows are shared out IID.
        max_weights: the most trained weights of one of several models; 0: any number.
        evaluations: of each run of several models, all clients together.
        key: run key of these runs.
        costs: whether the one of several models that is taken is also advised on.
        how: `directions`, `batch`, `training_batch`, `seconds`, `threads`; see `Question`.

    Returns:
        Every way with its cost and verdict, the best one, how sure that is, and what would change
        it. `baffle.report.advised` makes text of it. Of several models a `Choice`: what came of
        each, the best, and the advice on it; `baffle.report.advised_models` makes text of that.

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
    if isinstance(model, nn.Module):
        if example is None:
            raise ConfigError("a module needs an example: expected (inputs, targets), got none")
        return ask_here(Given(model, *example, loss), question)
    if not data or example is not None:
        raise ConfigError("several models are trained: expected data, and no example beside it")
    run = ShortRun(
        load(data) if isinstance(data, str) else data,
        federation,
        evaluations,
        key,
        engine={"threads": question.threads},
    )
    choice = ask_among(_makers(model, run), run, Limits(max_weights))
    if choice.best is None or not costs:
        return choice
    return replace(choice, advice=_costs(model, choice.best.model, run.data, question))


def _makers(models: Models, run: ShortRun) -> Mapping[str, Make]:
    """Return what makes each model; modules are copied, so that they are left as they are."""
    if not isinstance(models, Mapping):
        return makers(models, run)
    return {name: partial(copy.deepcopy, own) for name, own in models.items()}


def _costs(models: Models, best: str, data: Dataset, question: Question) -> Advice:
    """Return the advice on the model that was taken, on rows of the data's form."""
    if not isinstance(models, Mapping):
        return ask([Named(best, data.in_shape, data.classes)], question)
    inputs, targets = (torch.from_numpy(a[:EXAMPLES]) for a in (data.train_x, data.train_y))
    return ask_here(Given(models[best], inputs, targets, likely_loss), question)
