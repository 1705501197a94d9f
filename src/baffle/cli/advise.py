"""`baffle advise`: which model, what a device can run, what it costs there, which way to take.

What it says of several models is in `choosing.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from baffle.cli.choosing import EVALUATIONS, Asked, choose, names_of, shown
from baffle.cli.models import Classes, DataName, DataOptions, Example, Json, Shape, _shape
from baffle.cli.output import Output
from baffle.errors import ConfigError

if TYPE_CHECKING:
    from baffle.bench.advise.asking import Question
    from baffle.bench.advise.given import Named
    from baffle.data import Dataset

Models = Annotated[
    str,
    typer.Argument(
        metavar="MODEL[,MODEL…]",
        help="lenet, wrn, … or package.module:name or file.py:name; of several, with --data, the "
        "one that learns most by probes.",
    ),
]
GUESS = 1_000  # examples a client, where nothing says how many
Form = tuple[tuple[int, ...] | None, int, str]  # shape of a row, classes, where examples are made


def advise(
    model: Models,
    data: DataName = "",
    data_options: DataOptions = "",
    in_shape: Shape = "",
    classes: Classes = 10,
    example: Example = "",
    trained: Annotated[
        str, typer.Option(help="Parts to consider: all, lora, head; commas between.")
    ] = "all",
    clients: Annotated[int, typer.Option(help="Clients, N.")] = 10,
    participation: Annotated[float, typer.Option(help="Share of them asked a round.")] = 1.0,
    examples: Annotated[int, typer.Option(help="Examples a client; 0: of the data set.")] = 0,
    device_memory: Annotated[
        str, typer.Option(help="Memory of the process, as 256MiB; empty: any.")
    ] = "",
    device_speed: Annotated[float, typer.Option(help="Times this machine's speed.")] = 1.0,
    runtime: Annotated[
        str, typer.Option(help="Memory of the device's runtime; empty: Python's and torch's.")
    ] = "",
    up: Annotated[str, typer.Option(help="Bytes a second from the device.")] = "125kB",
    down: Annotated[str, typer.Option(help="Bytes a second to the device.")] = "1.25MB",
    inference_only: Annotated[
        bool, typer.Option("--inference-only", help="The device computes no gradients.")
    ] = False,
    directions: Annotated[int, typer.Option("-K", "--directions", help="0: chosen.")] = 0,
    batch: Annotated[
        int, typer.Option("-B", "--batch", help="Examples a client probes on; 0: chosen.")
    ] = 0,
    seconds: Annotated[float, typer.Option(help="To measure each way for, about.")] = 2.0,
    threads: Annotated[int, typer.Option(help="Threads, here and on the device.")] = 1,
    max_weights: Annotated[
        int, typer.Option(help="Of several models: the most trained weights; 0: any number.")
    ] = 0,
    evaluations: Annotated[
        str,
        typer.Option(
            help="Of several models: example evaluations of a run by probes, all clients together; "
            f"each has up to six, for its step size. {EVALUATIONS} where nothing is said."
        ),
    ] = "",
    key: Annotated[
        int | None, typer.Option(min=0, help="Of several models: the runs' key; 0 by default.")
    ] = None,
    costs: Annotated[
        bool,
        typer.Option("--costs/--no-costs", help="Of several models: advise on the chosen one."),
    ] = True,
    as_json: Json = False,
) -> None:
    """Say whether to take BAFFLE, FedAvg or FedAvg with checkpointing, and what it costs.

    A few rounds of each are measured here, in fresh processes, and scaled to the device. Several
    models are first trained by probes for a short while, and the one that learned most is taken.
    """
    from baffle.bench.advise.asking import Question
    from baffle.bench.advise.device import Device, amount
    from baffle.bench.advise.learning import Federation

    names, asked = names_of(model), Asked(max_weights, evaluations, key, costs)
    found, shape = _of_data(data, data_options, _shape(in_shape))
    outputs, rows = (found.classes, len(found.train_x)) if found else (classes, GUESS * clients)
    device = Device(
        amount("device-memory", device_memory) if device_memory else float("inf"),
        device_speed,
        amount("up", up),
        amount("down", down),
        inference_only,
        amount("runtime", runtime) if runtime else None,
    )
    federation = Federation(clients, participation, examples or max(1, rows // max(1, clients)))
    question = Question(federation, device, directions, batch, seconds=seconds, threads=threads)
    form = (shape or None, outputs, example)
    if len(names) == 1:
        asked.require_none()
        Output(as_json).show(*_advised(names[0], form, trained, question))
    else:
        _of_several(names, found, form, trained, question, asked, Output(as_json))


def _of_data(
    name: str, options: str, shape: tuple[int, ...]
) -> tuple[Dataset | None, tuple[int, ...]]:
    """Return the data set, where one is named, and the shape of a row."""
    if not name:
        if options:
            raise ConfigError(f"--data-options {options!r} are of a data set: expected --data")
        return None, shape
    if shape:
        raise ConfigError("--data has a shape of its own: expected no --in-shape beside it")
    from baffle.data import load

    data = load(name, **_options(options))
    return data, data.in_shape


def _options(text: str) -> dict[str, Any]:
    """Return the loader's options, as TOML would have them in one line.

    Example:
        >>> _options("size=28, features=true")
        {'size': 28, 'features': True}
    """
    try:
        return tomllib.loads(f"options = {{{text}}}")["options"]
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(
            f"--data-options expects NAME=VALUE with commas between, as size=28; got {text!r}: "
            f"{problem}"
        ) from None


def _advised(model: str, form: Form, trained: str, question: Question) -> list[Any]:
    """Return the advice on a model: its value, and what people read."""
    from baffle.bench.advise.asking import ask
    from baffle.bench.advise.given import Named
    from baffle.cli.measuring import _progress
    from baffle.report.advised import as_json

    names = [Named(model, *form, part.strip()) for part in trained.split(",")]
    with _progress() as say:
        found = ask(names, question, say)
    return [as_json(found, model), *_shown(found, names, question)]


def _of_several(
    names: Sequence[str],
    data: Dataset | None,
    form: Form,
    trained: str,
    question: Question,
    asked: Asked,
    output: Output,
) -> None:
    """Choose among models, and advise on the one that was chosen."""
    from baffle.cli.measuring import _progress
    from baffle.report.advised_models import as_json

    if form[-1]:
        raise ConfigError("several models are trained on --data: expected no --example beside it")
    with _progress() as say:
        choice = choose(names, data, question.federation, trained, question.threads, asked, say)
    for line in shown(choice):  # at once: it took minutes, and the advice may still fail
        output.console.print(line)
    best, advice, more = choice.best, None, []
    if best is not None and asked.costs:
        advice, *more = _advised(best.model, form, trained, question)
    output.show(as_json(choice) | {"advice": advice}, *(["", *more] if more else []))
    if best is None:
        raise typer.Exit(1)


def _shown(found: Any, names: Sequence[Named], question: Question) -> list[Any]:
    from rich.table import Table

    from baffle.report.advised import HEADS, basis, rows, sentence, sizes

    table = Table(box=None, pad_edge=False)
    for head in HEADS:
        table.add_column(head, overflow="fold")
    for row in rows(found):
        table.add_row(*row)
    changes = [f"  {change}" for change in found.changes] or ["  nothing that was tried"]
    weights = " and ".join(f"{d:,}" for d in sizes(found))
    title = f"{names[0].model}, {weights} weights trained by {question.federation.clients} clients"
    lines = ["", sentence(found), found.sure, "What would change this:", *changes, ""]
    return [title, table, "\n".join([*lines, basis(found)])]
