from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import baffle.models

MODULES = [m.name for m in pkgutil.iter_modules(baffle.models.__path__, "baffle.models.")]


@pytest.mark.parametrize("module", ["baffle.models", *MODULES])
def test_the_examples_in_the_docstrings_run(module: str) -> None:
    results = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0
    assert results.failed == 0
