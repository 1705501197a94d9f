"""Commands on runs: run, resume, verify, replay, evaluate, show."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from baffle.cli.monitors import (
    LogJson,
    MLflow,
    Prometheus,
    TensorBoard,
    TensorBoardDir,
    monitors,
)
from baffle.cli.output import Output
from baffle.config import load_config, resolve
from baffle.drivers.local.baseline_rules import require_ledger
from baffle.errors import ConfigError, LedgerError

Json = Annotated[
    bool, typer.Option("--json", help="One JSON object as the last line of standard output.")
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]


def run(
    config: Annotated[
        Path | None, typer.Argument(help="A configuration file; the digits by default.")
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(help="baffle, baffle-paper, mezo, decomfl, or a baseline: fedavg, es …"),
    ] = None,
    key: Annotated[
        int | None, typer.Option(help="Run key: every random number comes from it.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Communication rounds.")] = None,
    clients: Annotated[int | None, typer.Option(help="Registered clients.")] = None,
    participation: Annotated[
        float | None, typer.Option(help="Share of them asked each round.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="digits, mnist, hapt, wisdm, cifar10 …")] = None,
    model: Annotated[str | None, typer.Option(help="mlp, linear, convnet, lenet, wrn …")] = None,
    radius: Annotated[str | None, typer.Option(help="Probing radius, or auto.")] = None,
    num_directions: Annotated[
        int | None, typer.Option("--num-directions", "-K", help="Directions a step.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Examples a client probes; 0 for all.")] = None,
    step_size: Annotated[str | None, typer.Option(help="Step size, or auto.")] = None,
    bits: Annotated[
        int | None, typer.Option(help="Bits of an uploaded integer; 1 for signs.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any setting, as in the file."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder; by default a new one in runs/.")
    ] = None,
    tensorboard: TensorBoard = False,
    tensorboard_dir: TensorBoardDir = None,
    mlflow: MLflow = None,
    prometheus: Prometheus = None,
    log_json: LogJson = None,
    as_json: Json = False,
) -> None:
    """Train a federation. Without arguments: ten clients, handwritten digits, half a minute."""
    named = {
        "algorithm": algorithm,
        "key": key,
        "rounds": rounds,
        "federation.clients": clients,
        "federation.participation": participation,
        "data.name": data,
        "model.name": model,
        "probe.radius": _number(radius),
        "probe.num_directions": num_directions,
        "probe.batch": batch,
        "update.step_size": _number(step_size),
        "quantisation.bits": bits,
    }
    given = [(name, value) for name, value in named.items() if value is not None]
    given += [_assignment(text) for text in setting or []]
    settings = resolve(load_config(config) if config else {}, *(_nested(n, v) for n, v in given))
    output = Output(as_json)
    from baffle import api  # torch loads only now: a wrong setting is refused at once
    from baffle.cli.watching import trained
    from baffle.drivers.local.session import new_folder
    from baffle.drivers.local.task import task_of

    task = task_of(settings)
    folder = out or new_folder(Path(settings.output.dir), settings)
    watching = monitors(tensorboard, tensorboard_dir, mlflow, prometheus, log_json)
    trained(output, watching, lambda hooks: api.run(settings, task, folder, hooks))


def resume(
    run: Run,
    tensorboard: TensorBoard = False,
    tensorboard_dir: TensorBoardDir = None,
    mlflow: MLflow = None,
    prometheus: Prometheus = None,
    log_json: LogJson = None,
    as_json: Json = False,
) -> None:
    """Go on with an interrupted run; the digests are those of a run that never stopped."""
    output = Output(as_json)
    from baffle import api
    from baffle.cli.watching import trained
    from baffle.drivers.local.task import task_of

    watching = monitors(tensorboard, tensorboard_dir, mlflow, prometheus, log_json)
    trained(output, watching, lambda hooks: api.go_on(run, task_of, hooks))


def verify(run: Run, as_json: Json = False) -> None:
    """Check every stored byte, then replay every round and compare the digests."""
    from baffle.ledger import Ledger
    from baffle.ledger.replay import states

    require_ledger(run)
    with Ledger.open(run) as ledger:
        ledger.verify()
        first = ledger.snapshots[0]
        checked = sum(1 for _ in states(ledger, since=first)) - 1
        last = ledger.last_round
    value = {
        "run_dir": str(run),
        "rounds": last,
        "replayed_from": first,
        "replayed": checked,
        "ok": True,
    }
    Output(as_json).show(
        value,
        f"{run}: {last} rounds intact, {checked} replayed from round {first}, all digests equal",
    )


def replay(
    run: Run,
    round: Annotated[
        int | None, typer.Option("--round", help="Round to replay to; the last by default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the weights there, as safetensors.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rebuild the weights of any round from the ledger alone: no data, no model code."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    from baffle.ledger import Ledger
    from baffle.ledger.replay import replay as rebuild

    require_ledger(run)
    with Ledger.open(run) as ledger:
        _require_round(ledger.last_round, round)
        state = rebuild(ledger, round).state
    if out:
        try:
            save_file(dict(state.numpy()["weights"]), out)
        except (OSError, SafetensorError) as problem:
            raise ConfigError(f"--out {out} cannot be written: {problem}") from None
    digest = state.digest().hex()
    value = {
        "run_dir": str(run),
        "round": state.round,
        "digest": digest,
        "weights": str(out) if out else None,
    }
    Output(as_json).show(
        value, f"round {state.round}: digest {digest}" + (f", weights in {out}" if out else "")
    )


def evaluate(
    run: Run,
    round: Annotated[
        int | None, typer.Option("--round", help="Round to evaluate; the last by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Evaluate the averaged weights of any round on the test set."""
    from baffle.drivers.local.session import evaluated

    value = evaluated(run, round)
    figures = f"test accuracy {value['test_accuracy']:.4f}, test loss {value['test_loss']:.4f}"
    Output(as_json).show(value, f"round {value['round']}: {figures}")


def show(
    run: Run,
    other: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="A second run to compare with.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a run came to, or two runs side by side."""
    from baffle.report import compare, summarise

    folders = [run, *([other] if other else [])]
    for folder in folders:
        if not (folder / "config.toml").is_file():
            raise LedgerError(f"{folder} is not a run: it holds no config.toml")
    Output(as_json).show(
        {"runs": [json.loads(summarise(f).as_json()) for f in folders]}, compare(folders)
    )


def _require_round(last: int, round: int | None) -> None:
    if round is not None and not 0 <= round <= last:
        raise ConfigError(f"--round must lie in 0 to {last}, the run's last round; got {round}")


def _number(text: str | None) -> float | str | None:
    """Return a number where the text is one; "auto" and mistakes are for the settings' check."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _assignment(text: str) -> tuple[str, Any]:
    """Return name and value of SECTION.KEY=VALUE; the value is TOML, a bare word is a string."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set wants SECTION.KEY=VALUE, got {text!r}")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def _nested(name: str, value: Any) -> dict[str, Any]:
    section, dot, key = name.partition(".")
    return {section: {key: value}} if dot else {name: value}


COMMANDS = (run, resume, verify, replay, evaluate, show)
