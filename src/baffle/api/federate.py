"""`baffle.federate`: someone's own model and own data, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from baffle.api.run import Hooks, go_on, run
from baffle.config import Settings, resolve
from baffle.drivers.local.metrics import Row, read_metrics
from baffle.drivers.local.session import new_folder
from baffle.drivers.local.task import OWN_TASK, Loss, Task, own_task
from baffle.report import Summary


@dataclass(frozen=True)
class Result:
    """What a federation came to.

    Args:
        model: the module that was passed in, with the trained (averaged) weights.
        history: one row a round, as in metrics.jsonl.
        run_dir: the run folder.
        summary: totals and choices.
    """

    model: nn.Module
    history: list[Row]
    run_dir: Path
    summary: Summary


def federate(
    model: nn.Module,
    clients: Sequence[Any],
    *,
    loss: Loss,
    rounds: int,
    test: Any | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    config: Mapping[str, Any] | None = None,
    hooks: Hooks = Hooks(),  # noqa: B008
) -> Result:
    """Train a module across clients by forward passes alone.

    Args:
        model: any torch module; its parameters that require gradients are trained, none is
            differentiated.
        clients: one entry a client: (inputs, targets) as arrays or tensors with the examples on
            axis 0, or a map-style data set of (input, target).
        loss: (output, target) to the batch's mean loss, for example
            `torch.nn.functional.cross_entropy`.
        rounds: communication rounds.
        test: the same form as a client's data; evaluated by accuracy if targets are classes.
        run_dir: the run folder; by default a new one under `runs/`.
        resume: go on with the run in `run_dir`, to the rounds and by the settings that it has.
        config: settings by section, for example {"probe": {"num_directions": 256}}; see
            `baffle.config`. Everything else has a default or is measured.
        hooks: who is told of progress.

    Returns:
        Model, history, run folder and summary. An estimate's squared relative error is about
        (d - 1)/K; a round costs each asked client K + 8 forward passes of its batch.

    Raises:
        ConfigError, DataError, ModelError: what was expected, what came, what to do.

    Example:
        >>> import tempfile, torch
        >>> data = [(torch.randn(20, 3), torch.randn(20, 1)) for _ in range(4)]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = federate(torch.nn.Linear(3, 1), data, loss=torch.nn.functional.mse_loss,
        ...                       rounds=3, run_dir=folder)
        >>> len(result.history)
        3
    """
    task = own_task(model, clients, loss, test)
    settings = _settings(task, rounds, config or {})
    if resume:
        if run_dir is None:
            raise ValueError("resume=True needs the run_dir to go on with")
        summary = go_on(Path(run_dir), lambda _: task, hooks)
    else:
        folder = Path(run_dir) if run_dir else new_folder(Path(settings.output.dir), settings)
        summary = run(settings, task, folder, hooks)
    return Result(model, read_metrics(Path(summary.run_dir)), Path(summary.run_dir), summary)


def _settings(task: Task, rounds: int, config: Mapping[str, Any]) -> Settings:
    own = {"rounds": rounds, "federation": {"clients": len(task.rows)}}
    return resolve(config, OWN_TASK, own)
