"""Usual modules, each equal to the slow truth, and by which way."""

from __future__ import annotations

import pytest
import torch
from torch.utils import _pytree as pytree

from tests.backends.breadth.cases import CASES, TRANSFORMERS, Case
from tests.backends.helpers import assert_agrees, some_points

CHUNKS = (0, 3)  # all points in one pass; three, and a last pass of a single point


def check(case: Case, chunk: int) -> None:
    torch.manual_seed(4)
    module, inputs = case.make()
    for name, buffer in module.named_buffers():
        if "running_var" in name:
            buffer.uniform_(0.5, 1.5)
    targets = torch.zeros(len(pytree.tree_leaves(inputs)[0]))
    points = some_points(module, signs=case.signs)
    probe = assert_agrees(module, inputs, targets, points, operations=case.operations, chunk=chunk)
    assert (probe.route, set(probe.slow)) == (case.route, case.slow), probe.reasons


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("name", CASES)
def test_modules_of_torch(name, chunk):
    check(CASES[name], chunk)


@pytest.fixture(scope="module")
def transformers():
    """Importing the package takes seconds, so only those tests do that need it."""
    return pytest.importorskip("transformers")


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("name", TRANSFORMERS)
@pytest.mark.usefixtures("transformers")
def test_models_of_transformers(name, chunk):
    check(TRANSFORMERS[name], chunk)
