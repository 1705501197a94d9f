"""No test reads or writes what a user's own runs have measured."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def own_engine_cache(tmp_path_factory):
    """Keep measured choices in a folder of the tests' own, also in processes that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
