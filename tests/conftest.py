"""No test reads or writes what a user's own runs have measured; each process has one thread.

Tests run in as many processes as there are cores, and small products wait longer for a second
thread than they take.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before torch and NumPy read them

import pytest  # noqa: E402


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Half as many again as there are cores: many a test waits for a clock or another process."""
    cores = os.cpu_count() or 1
    return cores + cores // 2


@pytest.fixture(autouse=True, scope="session")
def own_engine_cache(tmp_path_factory):
    """Keep measured choices in a folder of the tests' own, also in processes that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
