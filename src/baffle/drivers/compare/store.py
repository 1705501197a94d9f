"""A comparison on disk: what was asked, and a line a finished cell. It survives `kill -9`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from baffle.drivers.compare.spec import PROGRAM, Comparison
from baffle.errors import LedgerError, LedgerLocked
from baffle.ledger.durable import write
from baffle.ledger.lock import WriterLock

MANIFEST, RESULTS = "comparison.json", "results.jsonl"


class Store:
    """The folder of a comparison, open for one writer.

    Args:
        folder: made if missing.
        comparison: must be the one that the folder holds, if it holds one, and by this program.

    Raises:
        LedgerError: the folder holds another comparison, another program's, or a damaged one.
        LedgerLocked: another process is at it.
    """

    def __init__(self, folder: Path, comparison: Comparison) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        try:
            self._lock = WriterLock(folder)
        except LedgerLocked as no:
            raise LedgerLocked(f"another process compares in {folder}: {no}") from None
        try:
            _agree(folder / MANIFEST, comparison)
            self.lines, torn = _read(folder / RESULTS)
            if torn:
                self._rewrite()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def add(self, line: Mapping[str, Any]) -> None:
        """Store a cell's line; it is on the disk when this returns."""
        with (self.folder / RESULTS).open("ab") as file:
            file.write(_text(line).encode())
            file.flush()
            os.fsync(file.fileno())
        self.lines[line["cell"]] = line

    def _rewrite(self) -> None:
        """Drop a last line that a crash cut short, or the next one would be glued to it."""
        write(self.folder / RESULTS, "".join(map(_text, self.lines.values())).encode())


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(line, sort_keys=True, allow_nan=False) + "\n"


def _agree(path: Path, comparison: Comparison) -> None:
    wanted = comparison.manifest()
    if not path.exists():
        write(path, (json.dumps(wanted, indent=1, sort_keys=True) + "\n").encode())
        return
    found = read_manifest(path.parent)
    if found.get(PROGRAM) != wanted[PROGRAM]:
        raise LedgerError(
            f"{path.parent} was begun by another program: expected {_words(wanted[PROGRAM])}, got "
            f"{_words(found.get(PROGRAM))}; their results do not go into one table: give another "
            "--out, or delete the folder"
        )
    if found != wanted:
        raise LedgerError(
            f"{path.parent} holds another comparison: expected the same algorithms, budget, keys "
            "and settings; go on with those, or give another --out"
        )


def _words(program: Any) -> str:
    """Return a manifest's program in words; older manifests say nothing of it."""
    if not isinstance(program, Mapping):
        return "one that does not say which it is"
    return ", ".join(f"{name} {value}" for name, value in program.items())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a folder's comparison asks.

    Raises:
        LedgerError: it holds none, or a damaged one.
    """
    path = folder / MANIFEST
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise LedgerError(f"expected a comparison in {path}: {problem}") from None
    if not isinstance(value, dict):
        raise LedgerError(f"expected a JSON object in {path}, got {type(value).__name__}")
    return value


def read_lines(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return the finished cells' lines by cell; a last line that a crash cut short is left out.

    Raises:
        LedgerError: another line is damaged.
    """
    return _read(folder / RESULTS)[0]


def _read(path: Path) -> tuple[dict[str, Mapping[str, Any]], bool]:
    """Return the lines, and whether the file ends within one."""
    lines: dict[str, Mapping[str, Any]] = {}
    if not path.exists():
        return lines, False
    whole = path.read_bytes()
    texts = whole.splitlines()
    for number, text in enumerate(texts, start=1):
        try:
            line = json.loads(text)
        except ValueError as problem:
            if number == len(texts):
                return lines, True
            raise _damaged(path, number, f"got no JSON: {problem}") from None
        if not (isinstance(line, dict) and isinstance(line.get("cell"), str)):
            raise _damaged(path, number, f"got {text[:40].decode(errors='replace')}")
        lines[line["cell"]] = line
    return lines, bool(texts) and not whole.endswith(b"\n")


def _damaged(path: Path, number: int, why: str) -> LedgerError:
    return LedgerError(
        f"{path}:{number} is damaged: expected a JSON object with a cell's name, {why}; nothing "
        "was changed. Mend or delete that line (its cell runs again), or give another --out"
    )
