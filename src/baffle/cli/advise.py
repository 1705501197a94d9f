"""`baffle advise`: what a client's device can run, what it costs there, which way to take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from baffle.cli.models import Classes, Json, Model, Shape, _shape
from baffle.cli.output import Output
from baffle.errors import ConfigError

if TYPE_CHECKING:
    from baffle.bench.advise.asking import Question
    from baffle.bench.advise.given import Named

GUESS = 1_000  # examples a client, where nothing says how many


def advise(
    model: Model,
    data: Annotated[str, typer.Option(help="A data set, for shape, classes and examples.")] = "",
    in_shape: Shape = "",
    classes: Classes = 10,
    example: Annotated[
        str, typer.Option(help="file.py:name of a function: B to (inputs, targets).")
    ] = "",
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
    as_json: Json = False,
) -> None:
    """Say whether to take BAFFLE, FedAvg or FedAvg with checkpointing, and what it costs.

    A few rounds of each are measured here, in fresh processes, and scaled to the device.
    """
    from baffle.bench.advise.asking import Question, ask
    from baffle.bench.advise.device import Device, amount
    from baffle.bench.advise.given import Named
    from baffle.bench.advise.learning import Federation
    from baffle.cli.measuring import _progress
    from baffle.report.advised import as_json as value_of

    shape, outputs, many = _of_data(data, _shape(in_shape), classes, clients)
    names = [
        Named(model, shape or None, outputs, example, part.strip()) for part in trained.split(",")
    ]
    device = Device(
        amount("device-memory", device_memory) if device_memory else float("inf"),
        device_speed,
        amount("up", up),
        amount("down", down),
        inference_only,
        amount("runtime", runtime) if runtime else None,
    )
    federation = Federation(clients, participation, examples or many)
    question = Question(federation, device, directions, batch, seconds=seconds, threads=threads)
    with _progress() as say:
        found = ask(names, question, say)
    Output(as_json).show(value_of(found, model), *_shown(found, names, question))


def _of_data(
    name: str, shape: tuple[int, ...], classes: int, clients: int
) -> tuple[tuple[int, ...], int, int]:
    """Return shape, classes and examples a client, of a data set where one is named."""
    if not name:
        return shape, classes, GUESS
    if shape:
        raise ConfigError("--data has a shape of its own: expected no --in-shape beside it")
    from baffle.data import load

    data = load(name)
    return data.in_shape, data.classes, max(1, len(data.train_x) // clients)


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
