"""A worker's folder: its files, who may read them, and where its socket can be."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple

from baffle.errors import ConfigError

FAMILY = "AF_PIPE" if sys.platform == "win32" else "AF_UNIX"
MAX_ADDRESS = 100  # bytes; the kernels' own limits are 108 (Linux) and 104 (macOS, BSD)


class Place(NamedTuple):
    """The files of the worker that lives in `folder`."""

    folder: Path

    @property
    def start_lock(self) -> Path:
        """Locked by the one that starts or stops a worker."""
        return self.folder / "start.lock"

    @property
    def life_lock(self) -> Path:
        """Locked by the worker for as long as it runs."""
        return self.folder / "worker.lock"

    @property
    def state(self) -> Path:
        """What the worker says of itself; see `state.State`."""
        return self.folder / "worker.json"

    @property
    def key(self) -> Path:
        """32 random bytes that both sides prove to know, new for every worker."""
        return self.folder / "worker.key"

    @property
    def log(self) -> Path:
        """Everything that the worker prints."""
        return self.folder / "worker.log"

    def new_address(self, name: str) -> str | None:
        """Where a new worker listens.

        Args:
            name: a short one that no other worker has, so that none removes another's socket.

        Returns:
            A socket in the folder, or in a new private folder when that path is too long for a
            socket; None where sockets are not files and the system makes up a name.

        Raises:
            ConfigError: the folder for temporary files has too long a path as well.
        """
        if FAMILY != "AF_UNIX":
            return None
        inside = self.folder / f"{name}.sock"
        if len(os.fsencode(inside)) <= MAX_ADDRESS:
            return str(inside)
        import tempfile

        outside = Path(tempfile.mkdtemp(prefix="baffle-worker-")) / "s"
        if len(os.fsencode(outside)) <= MAX_ADDRESS:
            return str(outside)
        outside.parent.rmdir()
        raise ConfigError(
            f"a socket's path has at most {MAX_ADDRESS} bytes; the folders {self.folder} and "
            f"{outside.parent.parent} are both too deep: set TMPDIR to a short one"
        )

    def clean(self) -> None:
        """Remove what a worker leaves in the folder; log and locks stay."""
        for left in [self.state, self.key, *self.folder.glob("*.sock")]:
            left.unlink(missing_ok=True)

    def clean_address(self, address: str) -> None:
        """Remove a worker's socket, wherever it is."""
        if FAMILY != "AF_UNIX" or not address:
            return
        socket = Path(address)
        with contextlib.suppress(OSError):  # its folder may be gone, with other temporary files
            socket.unlink(missing_ok=True)
            if socket.parent != self.folder:
                socket.parent.rmdir()


def make_place(folder: Path) -> Place:
    """The place in `folder`, which is made if need be and closed to other users.

    Args:
        folder: for the worker alone.

    Returns:
        Its place.

    Raises:
        ConfigError: it is no folder, or belongs to another user.
    """
    whole = Path(os.path.abspath(folder))  # noqa: PTH100
    whole.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = whole.stat()
    if sys.platform != "win32":
        if found.st_uid != os.geteuid():
            raise ConfigError(f"the worker's folder {whole} belongs to user {found.st_uid}, not us")
        if stat.S_IMODE(found.st_mode) & 0o077:
            whole.chmod(0o700)
    return Place(whole)


def write_private(path: Path, data: bytes) -> None:
    """Replace a file by one that only this user can read; a reader sees the old or the new one."""
    # os.open with O_EXCL, so that the mode holds from the first moment on.
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    beside.unlink(missing_ok=True)
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
