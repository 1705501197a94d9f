"""Nothing is printed, nothing is sent, nothing is imported before it is needed."""

from __future__ import annotations

import random
import subprocess
import sys
import warnings

import numpy as np
import pytest

from baffle.data import load, partition
from baffle.data.quiet import quiet

IMPORT = """
import sys
import baffle.data
heavy = {"sklearn", "datasets", "flwr_datasets", "torch", "pandas"} & set(sys.modules)
assert not heavy, heavy
"""

# Audit hooks see every connection, whoever opens it.
OFFLINE = """
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "urllib.Request"):
        raise SystemExit(f"{event} {arguments}")

sys.addaudithook(refuse)
import numpy as np
x, y = np.zeros((60, 1), np.float32), np.arange(60) % 3
data = baffle.data.Dataset("made", x, y, x, y, 3, {"writer": np.arange(60) % 5})
for name in ("iid", "dirichlet", "pathological", "natural"):
    assert len(baffle.data.partition(name, data, 5, 0)) == 5
from flwr_datasets.common import telemetry
assert telemetry.state["executor"] is None, "an event was made"
"""


def test_a_fresh_process_is_quiet_lazy_and_offline() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT + OFFLINE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_redraws_and_progress_bars_are_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    data = load("digits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        partition("dirichlet", data, 20, 3, alpha=0.3, min_rows=20)
        natural = type(data)(
            "made", data.train_x, data.train_y, data.test_x, data.test_y, 10, {"y": data.train_y}
        )
        partition("natural", natural, 10, 0)
    assert capfd.readouterr() == ("", "")


def test_telemetry_is_off_inside_and_as_it_was_outside() -> None:
    telemetry = pytest.importorskip("flwr_datasets.common.telemetry")
    before = telemetry.FLWR_TELEMETRY_ENABLED
    with pytest.raises(ValueError, match="seen"), quiet():  # noqa: PT012
        assert telemetry.FLWR_TELEMETRY_ENABLED == "0"
        raise ValueError("seen")
    assert before == telemetry.FLWR_TELEMETRY_ENABLED


def test_global_random_state_is_not_touched() -> None:
    data = load("digits")
    before = (random.getstate(), np.random.get_state()[1].tobytes())  # noqa: NPY002
    for name in ("iid", "dirichlet", "pathological"):
        partition(name, data, 10, 0)
    assert before == (random.getstate(), np.random.get_state()[1].tobytes())  # noqa: NPY002
