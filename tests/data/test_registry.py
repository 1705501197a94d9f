from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import baffle.data
from baffle.data import DATASETS, load
from baffle.errors import DataError

MODULES = [
    "baffle.data",
    *(m.name for m in pkgutil.iter_modules(baffle.data.__path__, "baffle.data.")),
]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_the_docstrings_run(module: str) -> None:
    results = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0
    assert results.failed == 0


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match=f"among {', '.join(sorted(DATASETS))}, got 'cifar'"):
        load("cifar")


def test_an_unknown_option_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="mnist: expected options among normalise, size, got an unknown sise"
    ):
        load("mnist", tmp_path, sise=28)
