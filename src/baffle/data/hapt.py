"""HAPT: what thirty people did, from a smartphone's accelerometer and gyroscope.

Reyes-Ortiz, Oneto, Samà, Parra and Anguita: "Transition-Aware Human Activity Recognition Using
Smartphones", Neurocomputing 171, 2016; the raw recordings of version 2.1 of the UCI data set. Its
licence allows no commercial use.

The file holds windows of 128 samples at 50 Hz (2.56 s), cut inside each labelled stretch. One
window and the next share half of their samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.data.base import Dataset, Floats, Labels
from baffle.data.files import find_all
from baffle.data.npz import read_npz
from baffle.data.split import last_fifth
from baffle.data.standard import standardise
from baffle.errors import DataError

FILE = "hapt_windows_int16.npz"
CHANNELS, SAMPLES = 6, 128
CLASSES = (6, 12)  # six activities alone, or six transitions between postures as well
TESTS = ("subjects", "windows")
_WANTED = {
    "x": ("int16", 3),
    "scale": ("float64", 1),
    "y": ("int8", 1),
    "subject": ("int8", 1),
    "official_test_subject": ("bool", 1),
}
_HOW = (
    "It holds x int16 (n, 6, 128), scale float64 (6,), y, subject and official_test_subject (n,), "
    "cut from the raw recordings of the UCI data set 'Smartphone-Based Recognition of Human "
    "Activities and Postural Transitions'; put it into a folder hapt."
)


@dataclass(frozen=True)
class _Windows:
    """Windows (n, 6, 128) as stored, their labels from 0, subjects, and who is in the test."""

    x: NDArray[np.int16]
    y: Labels
    subject: NDArray[np.int64]
    official: NDArray[np.bool_]

    def where(self, rows: NDArray[np.bool_]) -> _Windows:
        return _Windows(self.x[rows], self.y[rows], self.subject[rows], self.official[rows])


def load(
    root: str | Path | None = None,
    *,
    classes: int = 6,
    test: str = "subjects",
    features: bool = False,
) -> Dataset:
    """HAPT: 10,929 windows of six signals of 128 samples, from 30 subjects.

    Args:
        root: folder that holds hapt_windows_int16.npz, or a folder hapt with it; None searches
            BAFFLE_DATA, then ~/.cache/baffle.
        classes: 6 keeps walking, upstairs, downstairs, sitting, standing and lying; 12 keeps the
            transitions between postures as well.
        test: "subjects": the windows of the release's nine test subjects, whom no train row knows.
            "windows": the last fifth of each subject's windows of each activity, so that every
            subject is in both; train windows that share samples with a test window are left out.
        features: rows of 30 numbers instead of signals, see `statistics`, standardised by the
            train rows.

    Returns:
        Rows float32 (n, 6, 128): acceleration in g, then angular velocity in rad/s; or (n, 30).
        natural["subject"] and natural_test["subject"] hold who it was.

    Raises:
        DataError: the file is missing, damaged or of another form, or an option is unknown.

    Example:
        >>> load("/nowhere")
        Traceback (most recent call last):
        baffle.errors.DataError: expected the file hapt_windows_int16.npz, found none; looked ...
    """
    if classes not in CLASSES or test not in TESTS:
        raise DataError(
            f"hapt: expected 6 or 12 classes and test 'subjects' or 'windows', got classes="
            f"{classes} and test={test!r}."
        )
    path = find_all([FILE], root, ("hapt",), ("",), _HOW)[0]
    windows, scale = _read(path)
    windows = windows.where(windows.y < classes)
    kept, tested = _divide(windows, test)
    train_x, test_x = (_signals(part.x, scale) for part in (kept, tested))
    if features:
        train_x, test_x = standardise(statistics(train_x), statistics(test_x))
    return Dataset(
        "hapt",
        train_x,
        kept.y,
        test_x,
        tested.y,
        classes,
        natural={"subject": kept.subject},
        natural_test={"subject": tested.subject},
    )


def statistics(signals: Floats) -> Floats:
    """Five numbers a channel that say what a window is like, whatever its phase.

    Args:
        signals: float32 (n, channels, samples).

    Returns:
        float32 (n, 5 · channels): means, standard deviations, least and largest values, and the
        mean |x_t − x_(t−1)| of each channel, which tells fast from slow movement.

    Example:
        >>> statistics(np.array([[[0, 2, 0, 2]]], np.float32))
        array([[1., 1., 0., 2., 2.]], dtype=float32)
    """
    wide = signals.astype(np.float64)
    parts = (
        wide.mean(axis=2),
        wide.std(axis=2),
        wide.min(axis=2),
        wide.max(axis=2),
        np.abs(np.diff(wide, axis=2)).mean(axis=2),
    )
    return np.concatenate(parts, axis=1).astype(np.float32)


def _read(path: Path) -> tuple[_Windows, NDArray[np.float64]]:
    found = read_npz(path, _WANTED)
    x, y, scale = found["x"], found["y"], found["scale"]
    lengths = {name: len(found[name]) for name in ("x", "y", "subject", "official_test_subject")}
    if x.shape[1:] != (CHANNELS, SAMPLES) or len(set(lengths.values())) != 1 or not len(y):
        raise DataError(
            f"{path}: expected windows of shape ({CHANNELS}, {SAMPLES}) and one label, subject and "
            f"mark a window, found {x.shape} and lengths {lengths}; this is another archive."
        )
    if y.min() < 1 or y.max() > max(CLASSES) or not _positive(scale):
        raise DataError(
            f"{path}: expected labels in 1 … {max(CLASSES)} and {CHANNELS} positive scales, found "
            f"labels {y.min()} … {y.max()} and scales {scale.tolist()}; fetch it again."
        )
    marks = found["official_test_subject"]
    labels, subjects = y.astype(np.int64) - 1, found["subject"].astype(np.int64)
    return _Windows(x, labels, subjects, marks), scale


def _positive(scale: NDArray[Any]) -> bool:
    return scale.shape == (CHANNELS,) and bool(np.all(np.isfinite(scale) & (scale > 0)))


def _signals(x: NDArray[np.int16], scale: NDArray[np.float64]) -> Floats:
    # The product is made in float64 and rounded once.
    return (x * scale[:, None]).astype(np.float32)


def _divide(windows: _Windows, test: str) -> tuple[_Windows, _Windows]:
    """The train and the test windows."""
    if test == "subjects":
        return windows.where(~windows.official), windows.where(windows.official)
    groups = windows.subject * max(CLASSES) + windows.y
    held = last_fifth(groups)
    return windows.where(~held & ~_overlaps(windows.x, held)), windows.where(held)


def _overlaps(x: NDArray[np.int16], held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Marks windows that share half of their samples with a window that is held out."""
    half = SAMPLES // 2
    shared = np.all(x[:-1, :, half:] == x[1:, :, :half], axis=(1, 2))
    marks = np.zeros(len(x), bool)
    marks[:-1] |= shared & held[1:]
    marks[1:] |= shared & held[:-1]
    return marks
