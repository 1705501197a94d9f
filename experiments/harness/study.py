"""A study: settings in cells, and what is made of their results."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from baffle.config import Settings
    from baffle.drivers.local.task import Task
    from experiments.harness.results import Results

STUDIES = Path(__file__).resolve().parent.parent
IMAGES = STUDIES.parent / "docs" / "images"
Label = str | int | float
Tables = Mapping[str, Callable[["Results"], str]]
Figures = Mapping[str, Callable[["Results"], "Figure"]]


@dataclass(frozen=True, eq=False)
class Cell:
    """One run.

    Args:
        labels: what tells it from the study's other cells, for example {"bits": 8, "key": 0}.
        settings: as in a configuration file; what is not in it is the library's default. With a
            table "measure" it is no run: that table goes to the study's `measure`.
    """

    labels: Mapping[str, Label]
    settings: Mapping[str, Any]

    @property
    def is_run(self) -> bool:
        """Whether `baffle run` takes these settings, or the study's `measure` does."""
        return "measure" not in self.settings

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits that are a function of the settings alone."""
        text = json.dumps(self.settings, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.labels.items())


@dataclass(frozen=True)
class Study:
    """A question that many runs answer.

    Args:
        module: where this value stands as STUDY, so that another process finds it: `__name__`.
        folder: holds results.jsonl and README.md.
        cells: in the order in which they run.
        tables: by name, results to Markdown; a table stands in a page between the lines
            `<!-- NAME -->` and `<!-- end -->`.
        pages: Markdown files with such lines; by default the folder's README.md.
        figures: by file name, results to a picture; drawn when a call has run its cells.
        images: the folder that figures go to.
        task: settings to model and data; by default those that the settings name.
        extra: more figures from a finished run's folder, as JSON has them, before it is deleted.
        measure: a cell's table "measure" to its figures, where a cell is no run.
    """

    module: str
    folder: Path
    cells: Sequence[Cell]
    tables: Tables = field(default_factory=dict)
    pages: Sequence[Path] = ()
    figures: Figures = field(default_factory=dict)
    images: Path = IMAGES
    task: Callable[[Settings], Task] | None = None
    extra: Callable[[Path], Mapping[str, Any]] | None = None
    measure: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        _require_distinct("settings", [cell.id for cell in self.cells], self.cells)
        _require_distinct("labels", [str(cell) for cell in self.cells], self.cells)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def pages_to_fill(self) -> Sequence[Path]:
        """Return the files that show tables."""
        return self.pages or (self.folder / "README.md",)


def _require_distinct(what: str, names: Sequence[str], cells: Sequence[Cell]) -> None:
    first: dict[str, Cell] = {}
    for name, cell in zip(names, cells, strict=True):
        if name in first:
            raise ValueError(f"two cells have the same {what}: {first[name]} and {cell}")
        first[name] = cell


def keys(count: int) -> dict[int, dict[str, int]]:
    """Return an axis of run keys for `grid`: 0 to count - 1."""
    return {key: {"key": key} for key in range(count)}


def grid(base: Mapping[str, Any], **axes: Mapping[Any, Mapping[str, Any]]) -> list[Cell]:
    """Return a cell for each combination, the last axis turning fastest.

    Args:
        base: settings that all cells have.
        axes: by label, what each of the label's values sets on top of that.

    Example:
        >>> cells = grid({"rounds": 5}, key=keys(2), bits={8: {"quantisation": {"bits": 8}}})
        >>> [str(cell) for cell in cells]
        ['key=0 bits=8', 'key=1 bits=8']
        >>> cells[1].settings
        {'rounds': 5, 'key': 1, 'quantisation': {'bits': 8}}
    """
    choices = [[(name, value, over) for value, over in axis.items()] for name, axis in axes.items()]
    cells = []
    for chosen in itertools.product(*choices):
        settings: dict[str, Any] = dict(base)
        for _, _, over in chosen:
            settings = merged(settings, over)
        cells.append(Cell({name: value for name, value, _ in chosen}, settings))
    return cells


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with others on top; tables called options are replaced, not merged."""
    result = dict(base)
    for name, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        mixed = both and not name.endswith("options")
        result[name] = merged(result[name], value) if mixed else value
    return result


def studies() -> Iterable[str]:
    """Return the names of all studies here."""
    return sorted(
        path.parent.name for path in STUDIES.glob("*/study.py") if path.parent.name != "harness"
    )


def load(name: str) -> Study:
    """Return a study by its name here, or by its module's full name.

    Raises:
        ValueError: there is none.
    """
    if "." not in name and name not in studies():
        raise ValueError(f"expected a study among {', '.join(studies())}, got {name!r}")
    module = importlib.import_module(name if "." in name else f"experiments.{name}.study")
    found = module.STUDY
    if not isinstance(found, Study):
        raise ValueError(f"{module.__name__}.STUDY is no Study but a {type(found).__name__}")
    return found
