"""ONNX Runtime sessions of an exported folder's graphs, kept until the weights change."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Mapping
from pathlib import Path

import onnxruntime as ort
from numpy.typing import NDArray

from baffle.backends.onnx.manifest import Graph, Manifest
from baffle.backends.onnx.weights import Weights, WeightsFile
from baffle.errors import ModelError, ProbeError

PROVIDER = "CPUExecutionProvider"


def give_back() -> None:
    """Return freed memory to the system, where the C library can: a session's start takes more."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Sessions:
    """Graphs ready to run with some weights.

    A runtime packs constant weights when a session begins, so new weights mean a new session.

    Args:
        folder: an exported model of this client's own; its file of constants is written to.
        manifest: of the folder.
        threads: of a run.
        provider: ONNX Runtime's execution provider.
        one: keep one session at a time and none between calls, for less memory: a client's update
            then has the room that its probes had.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        threads: int = 1,
        provider: str = PROVIDER,
        one: bool = False,
    ) -> None:
        known = ort.get_available_providers()
        if provider not in known:
            raise ModelError(f"expected an execution provider among {known}, got {provider!r}")
        self.folder, self.manifest, self.provider = folder, manifest, provider
        self.file = WeightsFile(folder, manifest)
        self.threads, self.one = threads, one
        self._open: dict[str, ort.InferenceSession] = {}

    def load(self, weights: Weights) -> None:
        """Make these the graphs' weights.

        Raises:
            ModelError: a name or shape does not fit.
        """
        if not self.file.holds(weights):
            self.close()
            self.file.write(weights)

    def run(self, graph: Graph, feeds: Mapping[str, NDArray]) -> list[NDArray]:
        """Return what a graph makes of arrays by name; those that it does not take are left out.

        Raises:
            ModelError: the graph cannot be loaded.
            ProbeError: it failed.
        """
        session = self.get(graph)
        wanted = {i.name for i in session.get_inputs()}
        try:
            return list(session.run(None, {n: a for n, a in feeds.items() if n in wanted}))
        except Exception as problem:  # its errors have no common class but this
            raise ProbeError(f"ONNX Runtime failed on {graph.file}: {problem}") from None

    def close(self) -> None:
        """Give the sessions' memory back."""
        self._open.clear()
        give_back()

    def rest(self) -> None:
        """Between two calls: with one session at a time keep none, since new weights will come."""
        if self.one:
            self.close()

    def get(self, graph: Graph) -> ort.InferenceSession:
        """Return a graph's session, made on first use."""
        if graph.file not in self._open:
            if self.one:
                self.close()
            self._open[graph.file] = self._begin(graph)
            give_back()
        return self._open[graph.file]

    def _begin(self, graph: Graph) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # A plan of memory is as large as its worst moment, and each new session makes another.
        options.enable_mem_pattern = False
        try:
            return ort.InferenceSession(
                str(self.folder / graph.file), options, providers=[self.provider]
            )
        except Exception as problem:  # its errors have no common class but this
            raise ModelError(f"ONNX Runtime cannot load {graph.file}: {problem}") from None
