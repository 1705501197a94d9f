"""The command `baffle compare`: several algorithms at an equal resource."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from baffle.cli.output import Output
from baffle.cli.runs import Json, _assignment, _nested
from baffle.config import load_config
from baffle.errors import ConfigError

TABLE, FIGURE = "table.md", "curves.png"
ALL = "all"


def compare(
    config: Annotated[
        Path | None,
        typer.Argument(
            help="A configuration file: data, model and clients of all; what it says of probing "
            "and updating is of its own algorithm. The digits by default."
        ),
    ] = None,
    algorithms: Annotated[
        str,
        typer.Option(
            "--algorithms", "-a", help="Names with commas between, LABEL=NAME among them, or all."
        ),
    ] = ALL,
    equal: Annotated[
        str, typer.Option(help="rounds, evaluations, bytes, seconds or memory.")
    ] = "evaluations",
    budget: Annotated[
        str | None,
        typer.Option(help="Of it: 4M, 200kB, 5min, 300MB; by default 1M, 50 rounds, 200kB, 5s."),
    ] = None,
    length: Annotated[
        str, typer.Option(help="Example evaluations of a run where memory is held equal.")
    ] = "1M",
    keys: Annotated[int, typer.Option(min=1, help="Run keys; figures are their medians.")] = 3,
    tune: Annotated[
        int,
        typer.Option(min=0, help="Trials for each step size, by training loss; 0 for none."),
    ] = 6,
    share: Annotated[float, typer.Option(help="Of a run's rounds that a trial takes.")] = 0.2,
    least_rounds: Annotated[
        int,
        typer.Option(
            help="Batches are halved, down to 4, where the budget would be fewer rounds; 0: never."
        ),
    ] = 100,
    data: Annotated[str | None, typer.Option(help="digits, mnist, cifar10 …")] = None,
    model: Annotated[str | None, typer.Option(help="mlp, linear, convnet, lenet, wrn …")] = None,
    clients: Annotated[int | None, typer.Option(help="Registered clients.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="[ALGORITHM:]SECTION.KEY=VALUE",
            help="Any setting, of all or of one of them.",
        ),
    ] = None,
    memory: Annotated[
        bool, typer.Option("--memory/--no-memory", help="Whether clients' memory is measured.")
    ] = True,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes at once.")] = 2,
    out: Annotated[
        Path | None, typer.Option(help="The folder; by default one in runs/, by the question.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare algorithms at equal cost, each with its own step size. By default: all, digits.

    It may be stopped at any moment; the same command goes on.
    """
    from baffle.api.compare import carry_out, contenders_of, default_folder, known_algorithms
    from baffle.cli.comparing import Screen
    from baffle.drivers.compare.resources import RESOURCES, parse_budget
    from baffle.drivers.compare.spec import Comparison

    if equal not in RESOURCES:
        raise ConfigError(f"--equal must be one of {', '.join(RESOURCES)}, got {equal!r}")
    every, own = _split(setting or [], {"data.name": data, "model.name": model}, clients)
    names = known_algorithms() if algorithms.strip() == ALL else _names(algorithms)
    asked = Comparison(
        contenders_of(names, load_config(config) if config else {}, every, own),
        equal=equal,
        budget=parse_budget(budget, equal) if budget else RESOURCES[equal].default,
        keys=tuple(range(keys)),
        length=parse_budget(length, "evaluations"),
        trials=tune,
        share=share,
        least_rounds=least_rounds,
        memory=memory or equal == "memory",
    )
    output, folder = Output(as_json), out or default_folder(asked)
    with Screen(output.console, folder) as screen:
        found = carry_out(asked, folder, jobs, screen.watch)
    _finish(output, found, folder)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _split(
    texts: list[str], named: dict[str, str | None], clients: int | None
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the settings of all, and of single contenders by name."""
    from baffle.api.compare import over

    every: dict[str, Any] = {}
    own: dict[str, dict[str, Any]] = {}
    given = {**named, "federation.clients": clients}
    for name, value in given.items():
        if value is not None:
            every = over(every, _nested(name, value))
    for text in texts:
        name, value = _assignment(text)
        whose, colon, rest = name.rpartition(":")
        if colon:
            own[whose] = over(own.get(whose, {}), _nested(rest, value))
        else:
            every = over(every, _nested(name, value))
    return every, own


def _finish(output: Output, found: Any, folder: Path) -> None:
    """Write table and figure, show the table, and fail where an algorithm did."""
    from baffle.report.compared_figure import draw_compared
    from baffle.report.compared_table import compared_table, markdown

    (folder / TABLE).write_text(markdown(found), encoding="utf-8")
    drawn = draw_compared(found, folder / FIGURE)
    value = found.as_json() | {"figure": str(drawn) if drawn else None}
    where = f"table, figure and every result in {folder}"
    output.show(value, compared_table(found), "", where)
    if not found.complete:
        raise typer.Exit(1)
