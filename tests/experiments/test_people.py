"""Accuracy by person, and batch norm as a probe sees it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baffle.config import resolve
from baffle.models import build
from experiments.natural.norms import FRESH, MEASURED, model_of, to_batch_norm
from experiments.natural.people import by_person, worst_decile

SIGNALS = torch.from_numpy(
    np.random.Generator(np.random.Philox(key=3)).normal(1, 2, (64, 3, 40)).astype(np.float32)
)


class Data:
    """What `model_of` looks at of a data set."""

    in_shape, classes = (3, 40), 4
    train_x, train_y = SIGNALS.numpy(), np.zeros(64, np.int64)


def settings(norm: str):
    return resolve({"model": {"name": "signal", "options": {"widths": [4, 4], "norm": norm}}})


def test_people_with_few_rows_are_left_out_and_the_rest_counted_alone():
    ids = np.array(["a"] * 6 + ["b"] * 5 + ["c"] * 4)
    right = np.array([True] * 3 + [False] * 3 + [True] * 5 + [False] * 4)
    assert by_person(right, ids).tolist() == [0.5, 1.0]


@pytest.mark.parametrize(("many", "worst"), [(1, 0.0), (10, 0.0), (11, 0.5), (30, 1.0)])
def test_the_worst_decile_is_rounded_up(many, worst):
    assert worst_decile(np.arange(many, dtype=float)[::-1]) == worst


def test_fresh_batch_norm_is_none_at_all_but_for_its_epsilon():
    plain = build("signal", (3, 40), 4, 0, widths=(4, 4))
    fresh = model_of(settings(FRESH), Data())
    kinds = {type(layer).__name__ for layer in fresh.modules()}
    assert "BatchNorm1d" in kinds
    assert "GroupNorm" not in kinds
    torch.testing.assert_close(fresh.eval()(SIGNALS), plain(SIGNALS), rtol=1e-4, atol=1e-4)


def test_measured_batch_norm_has_the_train_rows_statistics_and_keeps_them():
    model = model_of(settings(MEASURED), Data())
    inside = model.conv1(SIGNALS)
    torch.testing.assert_close(model.norm1.running_mean, inside.mean(dim=(0, 2)))
    torch.testing.assert_close(model.norm1.running_var, inside.var(dim=(0, 2)))
    before = model.norm1.running_mean.clone()
    model(SIGNALS + 5)
    assert torch.equal(model.norm1.running_mean, before)
    normed = model.norm1(inside)
    torch.testing.assert_close(normed.mean(dim=(0, 2)), torch.zeros(4), atol=1e-4, rtol=0)


def test_only_group_norm_is_replaced():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.GroupNorm(2, 4, affine=False))
    to_batch_norm(model)
    assert [type(layer).__name__ for layer in model] == ["Linear", "BatchNorm1d"]
