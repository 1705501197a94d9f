"""`baffle export`: a model to a folder that a device probes with ONNX Runtime alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from baffle.cli.advise import _of_data
from baffle.cli.models import Classes, DataName, DataOptions, Example, Json, Shape, _shape
from baffle.cli.output import Output
from baffle.errors import ConfigError

if TYPE_CHECKING:
    from baffle.drivers.export import Exported

Source = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="lenet, wrn, … or package.module:name or file.py:name; or a run's config.toml.",
    ),
]


def export(
    model: Source,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to make.")],
    data: DataName = "",
    data_options: DataOptions = "",
    in_shape: Shape = "",
    classes: Classes = 10,
    example: Example = "",
    loss: Annotated[
        str, typer.Option(help="file.py:name of (output, target) to the mean loss of a batch.")
    ] = "",
    points: Annotated[
        str, typer.Option(help="Points of the passes; a device takes what its memory allows.")
    ] = "32,16,8,4,2",
    batch: Annotated[int, typer.Option("--batch", "-B", min=1, help="Examples of a pass.")] = 8,
    as_json: Json = False,
) -> None:
    """Write a model as ONNX graphs for devices that can only run inference.

    Each graph's losses are compared with torch's before the folder appears.
    """
    from baffle.drivers.export import export as exported

    module, function, examples = _meant(
        model, data, data_options, _shape(in_shape), classes, example, batch
    )
    if loss:
        from baffle.models.locate import find_attribute

        function = find_attribute(loss)
    found = exported(module, function, examples, out, _counts(points), batch)
    Output(as_json).show(_value(found), _lines(found))


def _meant(
    model: str,
    data: str,
    data_options: str,
    shape: tuple[int, ...],
    classes: int,
    example: str,
    batch: int,
) -> tuple[Any, Any, tuple[Any, Any]]:
    """Return module, loss and some examples."""
    from torch.nn.functional import cross_entropy

    from baffle.bench.advise.given import Named, make

    if model.endswith(".toml"):
        return _of_run(Path(model), batch)
    found, shape = _of_data(data, data_options, shape)
    outputs = found.classes if found else classes
    given = make(Named(model, shape or None, outputs, example), batch)
    whole = given.targets.dim() == 1 and not given.targets.is_floating_point()
    return given.module, cross_entropy if whole else given.loss, (given.inputs, given.targets)


def _of_run(config: Path, batch: int) -> tuple[Any, Any, tuple[Any, Any]]:
    """Return what a run's configuration names."""
    import numpy as np

    from baffle.config import load_config, resolve
    from baffle.drivers.local.task import task_of

    given = load_config(config)
    given.pop("fleet", None)  # says how a run is carried, and nothing of its model
    task = task_of(resolve(given))
    return task.model, task.loss, task.train.batch(np.arange(min(batch, len(task.train))))


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--points wants numbers as 16,4, got {text!r}") from None


def _value(found: Exported) -> dict[str, Any]:
    manifest = found.manifest
    return {
        "folder": str(found.folder),
        "weights": manifest.signature.dimension,
        "points": [graph.points for graph in manifest.passes],
        "batch": manifest.plain.batch,
        "bytes": found.size,
        "opset": manifest.opset,
        "difference": manifest.difference,
        "digest": manifest.digest,
        "slow": list(found.slow),
    }


def _lines(found: Exported) -> str:
    manifest = found.manifest
    passes = ", ".join(f"{g.points} ({g.activations / 2**20:.1f} MiB)" for g in manifest.passes)
    lines = [
        f"{found.folder}: {found.size / 2**20:.1f} MiB, {manifest.signature.dimension:,} trained "
        f"weights, opset {manifest.opset}",
        f"points at once: {passes}; {manifest.plain.batch} examples a pass; directions of other "
        "kinds than rank_one: one point after another",
        f"losses differ from torch's by {manifest.difference:.1e} at most, of 1 + |loss|",
        f"digest {manifest.digest}",
    ]
    lines += [f"{name} has no rule: it goes point after point" for name in found.slow]
    return "\n".join(lines)
