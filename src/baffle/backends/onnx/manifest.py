"""What an exported folder holds: `manifest.json`, read with every field checked.

The folder has the graphs, a file of constants whose first part is the trained tensors, and this
page. Its digest ties down all but the trained tensors, which a client writes anew each round.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from baffle.directions import ModelSignature, TensorSpec
from baffle.errors import ModelError

FORMAT = "baffle export 2"
BEFORE = "baffle export 1"  # had no graph that takes weights, and no word on it
FILE = "manifest.json"
MOST_BYTES = 2**26  # of a manifest; a larger one is none of ours
PAGE = 4096  # constants behind the trained tensors begin here, so that a runtime can map them
DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


@dataclass(frozen=True)
class Array:
    """What one array of a batch is: its name as a graph's input, one example's shape, its type."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Graph:
    """One graph.

    Args:
        file: its name in the folder.
        points: P of a pass; 1 for those that have no factors.
        batch: B, examples a run.
        outputs: names of what it returns: losses [P, B], or [B] and perhaps which are right [B].
        activations: bytes that a run held beyond weights, as measured when it was exported.
        sha256: of the file, hexadecimal.
        takes_weights: whether the trained tensors are inputs, float32 under their own names, and
            not constants.
    """

    file: str
    points: int
    batch: int
    outputs: tuple[str, ...]
    activations: int
    sha256: str
    takes_weights: bool = False


@dataclass(frozen=True)
class Constants:
    """The file of constants.

    Args:
        file: its name in the folder.
        size: of the file, bytes.
        trained: by tensor's name, where it begins.
        begin: where what is not trained begins.
        sha256: of what lies from there on, hexadecimal.
    """

    file: str
    size: int
    trained: Mapping[str, int]
    begin: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """An exported model.

    Args:
        signature: of the model, as in a run's genesis.
        inputs, targets: the arrays of a batch.
        spread: whether inputs are one array, a tuple ("tuple") or by name ("dict").
        graphs: the plain one first, then passes by falling P, then the one that takes weights.
        constants: the file beside them.
        opset: of the graphs.
        made_by: names and versions.
        difference: the largest |loss − torch's| when it was exported, relative to the losses' size.
    """

    signature: ModelSignature
    inputs: tuple[Array, ...]
    targets: tuple[Array, ...]
    spread: str
    graphs: tuple[Graph, ...]
    constants: Constants
    opset: int
    made_by: Mapping[str, str]
    difference: float

    @property
    def plain(self) -> Graph:
        """The graph without factors."""
        return self.graphs[0]

    @property
    def passes(self) -> tuple[Graph, ...]:
        """The graphs with factors, the largest P first."""
        return tuple(graph for graph in self.graphs[1:] if not graph.takes_weights)

    @property
    def open(self) -> Graph | None:
        """The graph that takes weights, for directions without factors; None in a format 1."""
        return self.graphs[-1] if self.graphs[-1].takes_weights else None

    @property
    def digest(self) -> str:
        """SHA-256 over everything but the trained tensors, hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Return the page's text."""
        text = {
            "format": FORMAT,
            "opset": self.opset,
            "signature": {
                "tensors": [
                    [t.name, list(t.shape), t.dtype, t.trainable] for t in self.signature.tensors
                ],
                "frozen": self.signature.frozen_digest.hex(),
            },
            "inputs": [asdict(a) for a in self.inputs],
            "targets": [asdict(a) for a in self.targets],
            "spread": self.spread,
            "graphs": [asdict(g) for g in self.graphs],
            "constants": {**asdict(self.constants), "trained": dict(self.constants.trained)},
            "made_by": dict(self.made_by),
            "difference": self.difference,
        }
        return json.dumps(text, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Return a folder's manifest.

        Raises:
            ModelError: there is none, or a field is missing or not of its kind; names it.
        """
        path = folder / FILE
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ModelError(f"{path} is too large for a manifest: {path.stat().st_size} bytes")
            text = path.read_text(encoding="utf-8")
        except OSError as problem:
            raise ModelError(
                f"expected an exported model in {folder}, as `baffle export` makes it, found no "
                f"{FILE} that can be read: {problem.strerror}"
            ) from None
        except UnicodeDecodeError:
            raise ModelError(f"{path} is not UTF-8") from None
        return cls.from_json(text, str(path))

    @classmethod
    def from_json(cls, text: str, where: str = FILE) -> Manifest:
        """Return what a page's text says.

        Raises:
            ModelError: a field is missing or not of its kind; names it.
        """
        return _Reader(where).manifest(_page(text, where))

    def check(self, folder: Path) -> None:
        """Compare the folder's files with what the manifest says of them.

        Raises:
            ModelError: a file is missing, or its bytes are others; names it.
        """
        for graph in self.graphs:
            _require(graph.file, _sha256(folder / graph.file), graph.sha256)
        path = folder / self.constants.file
        try:
            size = path.stat().st_size
        except OSError as problem:
            raise ModelError(f"expected {path}: {problem.strerror}") from None
        if size != self.constants.size:
            raise ModelError(f"expected {self.constants.size} bytes in {path}, got {size}")
        _require(path.name, _sha256(path, self.constants.begin), self.constants.sha256)


def _page(text: str, where: str) -> Any:
    """Return what a JSON text says, if it could be written as one again.

    Raises:
        ModelError: it is none; or a number without end, or half a character, is in it.
    """
    try:
        page = json.loads(text)
        json.dumps(page, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as problem:
        raise ModelError(f"{where} is not JSON: {str(problem)[:200]}") from None
    return page


def _sha256(path: Path, begin: int = 0) -> str:
    try:
        with path.open("rb") as file:
            file.seek(begin)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise ModelError(f"expected {path}: {problem.strerror}") from None


def _require(name: str, found: str, expected: str) -> None:
    if found != expected:
        raise ModelError(
            f"{name} is not the file that was exported: expected SHA-256 {expected[:16]}…, got "
            f"{found[:16]}…"
        )


@dataclass(frozen=True)
class _Reader:
    """Reads a page; every wrong field is an error that names it."""

    where: str

    def manifest(self, page: Any) -> Manifest:
        page = self._table(page, "the page")
        old = self._one_of(page, "format", (FORMAT, BEFORE)) == BEFORE
        graphs = tuple(self._graph(g, old) for g in self._list(page, "graphs"))
        found = Manifest(
            self._signature(self._table(page.get("signature"), "signature")),
            tuple(self._array(a, "inputs") for a in self._list(page, "inputs")),
            tuple(self._array(a, "targets") for a in self._list(page, "targets")),
            self._one_of(page, "spread", ("one", "tuple", "dict")),
            graphs,
            self._constants(self._table(page.get("constants"), "constants")),
            self._count(page, "opset"),
            {str(k): str(v) for k, v in self._table(page.get("made_by"), "made_by").items()},
            self._number(page, "difference"),
        )
        self._fit(found)
        return found

    def _fit(self, found: Manifest) -> None:
        if not found.graphs or not found.inputs or found.plain.points != 1:
            self._wrong("graphs", "a plain graph first, and inputs", len(found.graphs))
        if any(g.takes_weights for g in found.graphs[:-1]) or found.plain.takes_weights:
            self._wrong("graphs", "one that takes weights at most, behind all others", "others")
        if found.open is not None and found.open.points != 1:
            self._wrong("graphs", "one point where weights are taken", found.open.points)
        if any(g.points < 2 for g in found.passes) or len({g.batch for g in found.passes}) > 1:
            self._wrong("graphs", "passes of two points or more and of one batch", "others")
        sizes = {t.name: 4 * t.size for _, t in found.signature.trained}
        starts = found.constants.trained
        if sizes.keys() != starts.keys():
            self._wrong("constants.trained", f"the trained tensors {sorted(sizes)}", sorted(starts))
        end = 0
        for name, start in sorted(starts.items(), key=lambda item: item[1]):
            if start < end:
                self._wrong(f"constants.trained.{name}", f"a place from {end} on", start)
            end = start + sizes[name]
        if not end <= found.constants.begin <= found.constants.size:
            self._wrong(
                "constants.begin", f"{end} to {found.constants.size}", found.constants.begin
            )

    def _signature(self, table: Mapping[str, Any]) -> ModelSignature:
        tensors = []
        for row in self._list(table, "tensors"):
            if not (isinstance(row, list) and len(row) == 4):
                self._wrong("signature.tensors", "rows of name, shape, type, trained", row)
            name, shape, dtype, trained = row
            if not isinstance(name, str) or not isinstance(trained, bool):
                self._wrong("signature.tensors", "a name and whether it is trained", row)
            tensors.append(
                TensorSpec(name, self._shape(shape, name), self._text(dtype, name), trained)
            )
        return ModelSignature(tuple(tensors), self._hex(table, "frozen"))

    def _graph(self, row: Any, old: bool) -> Graph:
        table = self._table(row, "graphs")
        outputs = self._list(table, "outputs")
        return Graph(
            self._file(table),
            self._count(table, "points"),
            self._count(table, "batch"),
            tuple(self._text(name, "outputs") for name in outputs),
            self._count(table, "activations", least=0),
            self._text(table.get("sha256"), "sha256"),
            not old and self._flag(table, "takes_weights"),
        )

    def _constants(self, table: Mapping[str, Any]) -> Constants:
        trained = self._table(table.get("trained"), "constants.trained")
        return Constants(
            self._file(table),
            self._count(table, "size", least=0),
            {name: self._count(trained, name, least=0) for name in trained},
            self._count(table, "begin", least=0),
            self._text(table.get("sha256"), "sha256"),
        )

    def _array(self, row: Any, field: str) -> Array:
        table = self._table(row, field)
        dtype = self._one_of(table, "dtype", DTYPES)
        return Array(
            self._text(table.get("name"), field), self._shape(table.get("shape"), field), dtype
        )

    def _file(self, table: Mapping[str, Any]) -> str:
        """Return a file's name: one that stays in the folder."""
        name = self._text(table.get("file"), "file")
        if PurePosixPath(name).name != name or name in (".", "..") or "\\" in name or "\0" in name:
            self._wrong("file", "a name without folders", name)
        return name

    # --- kinds of value

    def _table(self, value: Any, field: str) -> Mapping[str, Any]:
        return value if isinstance(value, dict) else self._wrong(field, "a table", value)

    def _list(self, table: Mapping[str, Any], field: str) -> list[Any]:
        value = table.get(field)
        return value if isinstance(value, list) else self._wrong(field, "a list", value)

    def _text(self, value: Any, field: str) -> str:
        return value if isinstance(value, str) else self._wrong(field, "text", value)

    def _shape(self, value: Any, field: str) -> tuple[int, ...]:
        sides: Iterable[Any] = (
            value if isinstance(value, list) else self._wrong(field, "a shape", value)
        )
        return tuple(self._whole(side, f"shape of {field}", 0) for side in sides)

    def _flag(self, table: Mapping[str, Any], field: str) -> bool:
        value = table.get(field)
        return value if isinstance(value, bool) else self._wrong(field, "true or false", value)

    def _count(self, table: Mapping[str, Any], field: str, least: int = 1) -> int:
        return self._whole(table.get(field), field, least)

    def _whole(self, value: Any, field: str, least: int) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = whole and least <= value < 2**48
        return value if fits else self._wrong(field, f"a whole number from {least}", value)

    def _number(self, table: Mapping[str, Any], field: str) -> float:
        value = table.get(field)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                if math.isfinite(value):
                    return float(value)
            except OverflowError:  # a whole number that no float holds
                return float(self._wrong(field, "a number", value))
        return float(self._wrong(field, "a number", value))

    def _one_of(self, table: Mapping[str, Any], field: str, known: tuple[str, ...]) -> str:
        value = table.get(field)
        return value if value in known else self._wrong(field, f"one of {', '.join(known)}", value)

    def _hex(self, table: Mapping[str, Any], field: str) -> bytes:
        try:
            return bytes.fromhex(self._text(table.get(field), field))
        except ValueError:
            return self._wrong(field, "hexadecimal digits", table.get(field))

    @property
    def _wrong(self) -> Callable[[str, str, Any], Any]:
        def fail(field: str, expected: str, got: Any) -> Any:
            raise ModelError(
                f"{self.where}: expected {expected} for {field}, got {str(got)[:80]!r}"
            )

        return fail
