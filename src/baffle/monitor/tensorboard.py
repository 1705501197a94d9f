"""TensorBoard: scalars by round, the settings as text, without torch and without TensorFlow."""

from __future__ import annotations

import itertools
import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata  # type: ignore[import-untyped]
from tensorboard.compat.proto.tensor_pb2 import TensorProto  # type: ignore[import-untyped]
from tensorboard.compat.proto.types_pb2 import DT_STRING  # type: ignore[import-untyped]
from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

from baffle.monitor.base import Row
from baffle.monitor.figures import scalars

FILE_VERSION = "brain.Event:2"  # the only one that readers take
_number = itertools.count()


class TensorBoard:
    """Writes an event file; `tensorboard --logdir` of the folder, or of one above it, shows it.

    Each process of a run adds a file of its own, and a reader joins them. What an earlier process
    wrote of rounds that a resume runs again is dropped by the reader.

    Args:
        folder: made if missing when the run begins; by default `tensorboard` in the run folder.

    Example:
        >>> board = TensorBoard(Path("runs/first/tensorboard"))  # doctest: +SKIP
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._file: BinaryIO | None = None
        self._round = 0

    def begin(self, about: Mapping[str, Any]) -> None:
        """Open a file and write the settings."""
        folder = self.folder or Path(about["run_dir"]) / "tensorboard"
        folder.mkdir(parents=True, exist_ok=True)
        # Written by ourselves and not by the package's thread, so that a full disk raises here.
        self._file = (folder / _file_name()).open("xb")
        self._round = about.get("round", 0)
        self._write(Event(file_version=FILE_VERSION))
        restart = SessionLog(status=SessionLog.START)
        self._write(Event(step=self._round + 1, session_log=restart))
        self._text("run/settings", _code(about.get("settings", {})))

    def row(self, row: Row) -> None:
        """Write a round's scalars; what is not finite is left out."""
        self._round = row["round"]
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars(row)]
        self._write(Event(step=self._round, summary=Summary(value=values)))

    def event(self, name: str, **fields: Any) -> None:
        """Write an event as text; before the run begins there is no file to write to."""
        if self._file is not None:
            self._text(f"event/{name}", _code(fields))

    def end(self, summary: Mapping[str, Any]) -> None:
        """Write what the run came to, as text."""
        self._text("run/summary", _code(summary))

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _text(self, tag: str, text: str) -> None:
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()])
        value = Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
        self._write(Event(step=self._round, summary=Summary(value=[value])))

    def _write(self, event: Event) -> None:
        if self._file is None:
            raise ValueError("no run has begun, or this monitor is closed")
        event.wall_time = time.time()
        RecordWriter(self._file).write(event.SerializeToString())
        self._file.flush()  # a row a round: the page of a browser is to show it now


def _file_name() -> str:
    """Return a name as TensorBoard looks for it, sorted by time, and of no other process."""
    host = socket.gethostname()
    return f"events.out.tfevents.{time.time_ns() / 1e9:.6f}.{host}.{os.getpid()}.{next(_number)}"


def _code(value: Mapping[str, Any]) -> str:
    """Return JSON as Markdown shows it unchanged: lines that are set in."""
    text = json.dumps(value, indent=2, default=str)
    return "\n".join(f"    {line}" for line in text.splitlines())
