"""One thread for NumPy's small products, unless somebody said otherwise."""

import importlib
import os

import baffle.cli


def test_the_command_line_gives_numpy_one_thread_unless_told(monkeypatch):
    for given, found in ((None, "1"), ("3", "3")):
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        if given:
            monkeypatch.setenv("OPENBLAS_NUM_THREADS", given)
        importlib.reload(baffle.cli)
        assert os.environ["OPENBLAS_NUM_THREADS"] == found
