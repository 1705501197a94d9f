"""Commands on models: check, convert."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from baffle.cli.output import Output
from baffle.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

    from baffle.backends.torch.outlook import Outlook
    from baffle.models.checks.finding import Finding

logger = logging.getLogger(__name__)
Json = Annotated[
    bool, typer.Option("--json", help="One JSON object as the last line of standard output.")
]
Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="lenet, wrn, … or package.module:name or file.py:name."),
]
Shape = Annotated[str, typer.Option(help="Shape of one row for a named model, as 1,32,32.")]
DataName = Annotated[
    str, typer.Option("--data", help="A data set, for shape, classes and examples.")
]
DataOptions = Annotated[
    str,
    typer.Option("--data-options", help="Of the data set's loader, as size=28; commas between."),
]
Example = Annotated[
    str,
    typer.Option("--example", help="file.py:name of a function: B to (inputs, targets)."),
]
Classes = Annotated[int, typer.Option(help="Outputs of a named model.")]


def check(model: Model, in_shape: Shape = "", classes: Classes = 10, as_json: Json = False) -> None:
    """Say what of a model will not work by probes or on non-IID data, and what to do.

    With --in-shape it is also run, and what of it goes the slow way is named.
    """
    from rich.table import Table

    from baffle.models.advice import check_model
    from baffle.models.locate import find_model

    shape = _shape(in_shape)
    module = find_model(model, shape, classes)
    findings = check_model(module)
    broken = any(f.severity == "error" for f in findings)
    probing = _probing(module, shape) if shape and not broken else None
    findings += _slow(probing)
    table = Table(box=None, pad_edge=False, show_header=bool(findings))
    for title in ("", "where", "what", "do"):
        table.add_column(title, overflow="fold")
    for f in findings:
        table.add_row(f.severity, f.where, f.what, f.do)
    ok = not any(f.severity == "error" for f in findings)
    value = {
        "model": model,
        "ok": ok,
        "findings": [dataclasses.asdict(f) for f in findings],
        "probing": dataclasses.asdict(probing) if probing else None,
    }
    Output(as_json).show(value, table)
    if not ok:
        raise typer.Exit(1)


def _probing(module: nn.Module, shape: tuple[int, ...]) -> Outlook | None:
    """Return how a module is probed on rows of this shape, None if it cannot be run on them."""
    import torch

    from baffle.backends.torch.outlook import outlook

    inputs = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    try:
        return outlook(module, inputs)
    except Exception:  # its own error, of inputs that are not of its kind
        logger.info("the model does not run on numbers of shape %s", shape, exc_info=True)
        return None


def _slow(probing: Outlook | None) -> list[Finding]:
    from baffle.models.checks.finding import WHOLE, Finding

    if probing is None:
        return []
    whole = probing.route in ("vmapped", "one_by_one")
    found = [
        Finding("note", WHOLE, f"{name} has no rule: it goes point after point.", "Nothing.")
        for name in probing.slow
    ]
    why = probing.reasons[0] if probing.reasons else ""
    return (
        found
        + [Finding("note", WHOLE, f"Probing takes the route {probing.route}: {why}.", "Nothing.")]
        * whole
    )


def convert(
    model: Model,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the state there, as safetensors.")
    ] = None,
    in_shape: Shape = "",
    classes: Classes = 10,
    as_json: Json = False,
) -> None:
    """Replace BatchNorm by GroupNorm (Hsieh et al. 2020) and ReLU by Hardswish (Feng et al. 2024).

    In your own code the same is `baffle.models.convert.convert(model)`.
    """
    from baffle.models.convert import convert as converted
    from baffle.models.convert import write_state
    from baffle.models.locate import find_model

    made, changes = converted(find_model(model, _shape(in_shape), classes))
    if out:
        write_state(made, out)
    lines = [f"{c.where}: {c.before} → {c.after}  ({c.why})" for c in changes]
    lines += ["nothing to convert"] if not changes else []
    value = {
        "model": model,
        "changes": [dataclasses.asdict(c) for c in changes],
        "out": str(out) if out else None,
    }
    Output(as_json).show(value, "\n".join(lines))


def _shape(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise ConfigError(f"--in-shape wants numbers as 1,32,32, got {text!r}") from None


COMMANDS = (check, convert)
