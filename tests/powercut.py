"""A power cut at every moment: what a file system may hold then of what a program did.

`Disk` looks at a folder before and after each operation on a name, and at each fsync. Its model is
POSIX, which promises little: bytes of a file are there once it was synced, a name once its folder
was. Of what was not synced anything may be there: names in any order, bytes all, none, half, or as
zeros in a file that is long already. Whoever writes for a stronger file system passes as well.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

NAMING = ("replace", "rename", "link", "unlink", "remove", "rmdir", "mkdir", "truncate")
FOLDER = -1  # what a name means that is a folder's
NEAR = 3  # unsynced names that are tried alone, and left out alone: the last ones
Names = dict[str, int]


@dataclass(frozen=True)
class Cut:
    """What is left after a power cut.

    Args:
        said: what was marked before it.
        files: bytes by path below the folder.
        folders: paths.
        how: in words.
    """

    said: tuple[Any, ...]
    files: dict[str, bytes]
    folders: tuple[str, ...]
    how: str

    def restore(self, folder: Path) -> Path:
        """Make a folder of it, and return that."""
        folder.mkdir(parents=True)
        for path in self.folders:
            (folder / path).mkdir()
        for path, data in self.files.items():
            (folder / path).write_bytes(data)
        return folder


@dataclass(frozen=True)
class _Moment:
    said: int
    after: str
    durable: Names
    names: Names
    pending: tuple[dict[str, int | None], ...]
    now: dict[int, bytes]
    synced: dict[int, bytes]


@dataclass
class Disk:
    """Remembers what a program does below a folder.

    Args:
        root: the folder; it and what is in it are durable at first.
        trusted: patterns of paths whose bytes and names are there as they were at each moment: a
            database that syncs by itself, where nobody can look on.
    """

    root: Path
    trusted: tuple[str, ...] = ()
    said: list[Any] = field(default_factory=list)
    _ids: dict[int, int] = field(default_factory=dict)
    _now: dict[int, bytes] = field(default_factory=dict)
    _synced: dict[int, bytes] = field(default_factory=dict)
    _names: Names = field(default_factory=dict)
    _durable: Names = field(default_factory=dict)
    _pending: list[dict[str, int | None]] = field(default_factory=list)
    _moments: list[_Moment] = field(default_factory=list)

    def __enter__(self) -> Disk:
        self._patch = pytest.MonkeyPatch()
        self._look("the start")
        self._durable, self._synced, self._pending = dict(self._names), dict(self._now), []
        self._moments = []
        for name in NAMING:
            self._patch.setattr(os, name, self._watched(name, getattr(os, name)))
        self._patch.setattr(os, "fsync", self._sync)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()
        self._look("the end")

    def say(self, what: Any) -> None:
        """Mark what somebody outside was told: from now on it must be so."""
        self.said.append(what)
        self._look(f"{what}"[:60])

    # --- looking

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **named: Any) -> Any:
            self._look(f"before {name}")
            try:
                return real(*args, **named)
            finally:
                self._look(f"{name} {args[0]}")

        return watched

    def _sync(self, file: int) -> None:
        """Take note of an fsync; the real disk need not be waited for."""
        self._look("before fsync")
        found = os.fstat(file)
        if stat.S_ISDIR(found.st_mode):
            self._sync_folder(str(Path(f"/proc/self/fd/{file}").readlink()))
        elif found.st_ino in self._ids:
            one = self._ids[found.st_ino]
            self._synced[one] = self._now[one]
        self._look("fsync")

    def _sync_folder(self, folder: str) -> None:
        left = []
        for change in self._pending:
            mine = {p: one for p, one in change.items() if str((self.root / p).parent) == folder}
            _apply(self._durable, mine)
            rest = {p: one for p, one in change.items() if p not in mine}
            left += [rest] if rest else []
        self._pending = left

    def _look(self, after: str) -> None:
        names = self._walk()
        gone = {path: None for path in self._names if path not in names}
        come = {p: one for p, one in names.items() if self._names.get(p) != one}
        if change := {**gone, **come}:
            trusted = {p: c for p, c in change.items() if self._trusts(p)}
            _apply(self._durable, trusted)
            rest = {p: c for p, c in change.items() if p not in trusted}
            self._pending += [rest] if rest else []
        self._names = names
        self._moments.append(
            _Moment(
                len(self.said), after, dict(self._durable), dict(names), tuple(self._pending),
                dict(self._now), dict(self._synced),
            )
        )  # fmt: skip

    def _walk(self) -> Names:
        names, before, self._ids = Names(), self._ids, {}
        for place, folders, files in os.walk(self.root):
            for name in folders:
                names[str((Path(place) / name).relative_to(self.root))] = FOLDER
            for name in files:
                path = Path(place) / name
                inode, short = path.stat().st_ino, str(path.relative_to(self.root))
                one = before.get(inode) or self._ids.get(inode) or 1 + len(self._now)
                self._ids[inode], names[short] = one, one
                self._now[one] = path.read_bytes()
                self._synced.setdefault(one, b"")
                if self._trusts(short):
                    self._synced[one] = self._now[one]
        return names

    def _trusts(self, path: str) -> bool:
        return any(fnmatch(path, pattern) for pattern in self.trusted)

    # --- what may be left

    def cuts(self) -> Iterator[Cut]:
        """Yield everything that may be left, each once."""
        seen = set()
        for moment in self._moments:
            for which, names in _names(moment):
                for how, tear in TEARS.items():
                    files = {
                        path: tear(moment.synced[one], moment.now[one])
                        for path, one in names.items()
                        if one != FOLDER and _reached(path, names)
                    }
                    folders = tuple(
                        sorted(p for p, o in names.items() if o == FOLDER and _reached(p, names))
                    )
                    key = (moment.said, folders, frozenset(files.items()))
                    if key not in seen:
                        seen.add(key)
                        said = tuple(self.said[: moment.said])
                        yield Cut(said, files, folders, f"{moment.after}: {which}, {how}")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no disk: for what a test does with each of hundreds of cuts."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


def _names(moment: _Moment) -> Iterator[tuple[str, Names]]:
    """Yield what names may be there: all, those that were synced, and others in between."""
    changes = moment.pending
    near = range(max(0, len(changes) - NEAR), len(changes))
    yield "names as they were", moment.names
    yield "names as synced", moment.durable
    for n in near:
        yield f"{n} names of {len(changes)}", _with(moment.durable, changes[:n])
        yield f"name {n} alone", _with(moment.durable, changes[n : n + 1])
        yield f"no name {n}", _with(moment.durable, changes[:n] + changes[n + 1 :])


def _with(names: Names, changes: tuple[dict[str, int | None], ...]) -> Names:
    found = dict(names)
    for change in changes:
        _apply(found, change)
    return found


def _apply(names: Names, change: dict[str, int | None]) -> None:
    for path, one in change.items():
        if one is None:
            names.pop(path, None)
        else:
            names[path] = one


def _reached(path: str, names: Names) -> bool:
    return all(names.get(str(above)) == FOLDER for above in list(Path(path).parents)[:-1])


def _half(synced: bytes, now: bytes) -> bytes:
    begin = _same(synced, now)
    return now[: begin + (len(now) - begin) // 2] if synced != now else now


def _zeros(synced: bytes, now: bytes) -> bytes:
    begin = _same(synced, now)
    return now[:begin] + bytes(len(now) - begin)


def _late(synced: bytes, now: bytes) -> bytes:
    begin = _same(synced, now)
    middle = begin + (len(now) - begin) // 2
    return now[:begin] + bytes(middle - begin) + now[middle:]


def _same(synced: bytes, now: bytes) -> int:
    """Return how many bytes at the front are as they were synced."""
    return len(synced) if now.startswith(synced) else 0


TEARS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "bytes as they were": lambda synced, now: now,
    "bytes as synced": lambda synced, now: synced,
    "half of the bytes": _half,
    "zeros": _zeros,
    "zeros and the last bytes": _late,
}
