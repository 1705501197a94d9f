"""One thread for NumPy's small products, unless somebody said otherwise."""

import os
import subprocess
import sys

import pytest

ASK = "import baffle.cli, os; print(os.environ['OPENBLAS_NUM_THREADS'])"


@pytest.mark.parametrize(("given", "found"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_the_command_line_gives_numpy_one_thread_unless_told(given, found):
    around = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"} | given
    done = subprocess.run([sys.executable, "-c", ASK], env=around, capture_output=True, text=True)
    assert done.stdout.strip() == found
