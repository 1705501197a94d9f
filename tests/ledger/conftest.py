"""A small run to break: 100 rounds, snapshots of the rounds 0, 40 and 80."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from baffle.ledger import Ledger, Row
from baffle.updates.state import TrainState

GENESIS = b"genesis of the sample run"
LAST = 100
SNAPSHOTS = (0, 40, 80)


def make_state(round: int) -> TrainState:
    weights = {"a": np.arange(6, dtype=np.float32).reshape(2, 3) + round, "b": np.float32([0.5])}
    updates = round - round // 10  # every tenth round was abandoned
    return TrainState(round, {"weights": weights, "ema": {"a": weights["a"] / 3}}, updates)


def make_row(round: int) -> Row:
    digest = make_state(round).digest()
    return Row(round, b"plan%d" % round, bytes([round % 256]) * 40, b"who%d" % round, digest)


def make_run(folder: Path, last: int = LAST, snapshots: Iterable[int] = SNAPSHOTS) -> None:
    with Ledger.create(folder, GENESIS) as ledger:
        for round in range(last + 1):
            if round:
                ledger.append(make_row(round))
            if round in snapshots:
                ledger.save(make_state(round))


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, closed; not to be written to."""
    folder = tmp_path_factory.mktemp("sample") / "run"
    make_run(folder)
    return folder


@pytest.fixture
def run(sample: Path, tmp_path: Path) -> Path:
    """A copy of the run to do with as you like."""
    return Path(shutil.copytree(sample, tmp_path / "run"))


@pytest.fixture(scope="session")
def state_of() -> Callable[[int], TrainState]:
    return make_state


@pytest.fixture(scope="session")
def row_of() -> Callable[[int], Row]:
    return make_row


@pytest.fixture(scope="session")
def genesis() -> bytes:
    return GENESIS
