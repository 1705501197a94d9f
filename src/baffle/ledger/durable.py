"""File names that survive a power cut: write aside, sync, rename, sync the folder."""

from __future__ import annotations

import os
from pathlib import Path


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
