"""A device's model and data, as a fleet's client wants them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from baffle.backends.onnx.examples import ArrayExamples
from baffle.backends.onnx.manifest import Manifest
from baffle.backends.onnx.probe import OnnxProbe
from baffle.directions import ModelSignature
from baffle.errors import ModelError
from baffle.protocol.exchange import Evaluation
from baffle.updates.state import Slot


@dataclass
class OnnxBacking:
    """An exported model on this device's examples.

    Args:
        probe: of the training examples.
        held_out: examples to evaluate on, None for none.
    """

    probe: OnnxProbe
    held_out: ArrayExamples | None = None

    @property
    def signature(self) -> ModelSignature:
        """Of the model."""
        return self.probe.manifest.signature

    @property
    def examples(self) -> int:
        """How many it trains on."""
        return len(self.probe.examples)

    @cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 over the training examples."""
        return self.probe.examples.fingerprint

    def evaluate(self, weights: Slot) -> Evaluation | None:
        """Return what weights come to on the held-out examples."""
        if self.held_out is None:
            return None
        own = OnnxProbe(self.probe.sessions, self.held_out)
        found = own.evaluate(weights)
        return Evaluation.of(found.examples, found.right, found.loss)


def own_copy(model: Path, state: Path, manifest: Manifest) -> Path:
    """Return a folder of this device's own with an exported model, whose weights it may write.

    Args:
        model: the exported folder.
        state: the device's folder.
        manifest: of `model`.

    Raises:
        ModelError: the folder's files are not those that were exported.
    """
    folder = state / f"model-{manifest.digest[:16]}"
    if not _whole(folder, manifest):
        manifest.check(model)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in (*(graph.file for graph in manifest.graphs), manifest.constants.file):
            shutil.copyfile(model / name, folder / name)
        manifest.check(folder)
    return folder


def _whole(folder: Path, manifest: Manifest) -> bool:
    """Say whether a copy is whole; one that a power cut left behind is made again."""
    try:
        manifest.check(folder)
    except ModelError:
        return False
    return True
