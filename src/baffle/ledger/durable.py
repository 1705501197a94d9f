"""File names that survive a power cut: write aside, sync, rename, sync the folder."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

# What a system without second names for a file says: FAT, or Gramine.
NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP)


def write(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Put a small file in the place of another, durably: whole, or not at all."""
    publish(_aside(path, data, mode), path)


def write_new(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a small file that is not there yet, durably: whole, or not at all.

    Where a file cannot have a second name, two processes at once may both believe they wrote it.

    Raises:
        FileExistsError: it is there, perhaps since a moment.
    """
    unfinished = _aside(path, data, mode)
    try:
        _link(unfinished, path)
        sync_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _link(unfinished: Path, path: Path) -> None:
    try:
        os.link(unfinished, path)
    except OSError as problem:
        if problem.errno not in NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, "it is there already", str(path)) from None
        unfinished.rename(path)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it, durably: else what is in it goes with its name.

    Args:
        folder: may be there already.
        mode: of the folder itself.
    """
    missing = [place for place in (folder, *folder.parents) if not place.is_dir()]
    folder.mkdir(parents=True, exist_ok=True, mode=mode)
    for made in reversed(missing):
        sync_folder(made.parent)


def _aside(path: Path, data: bytes, mode: int = 0o666) -> Path:
    """Return a synced file beside a path; it is gone again if the disk would not take it."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(file, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return unfinished


def publish(unfinished: Path, final: Path) -> None:
    """Give a synced file its final name, durably.

    Args:
        unfinished: the file under its temporary name, in the same folder.
        final: the name that readers look for; a file of that name is replaced.
    """
    unfinished.replace(final)
    sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
