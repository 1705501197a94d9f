"""Rows of the rebuild's measurement, on a small model."""

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from baffle.bench.rebuild import (
    CASES,
    Rebuild,
    RebuildOptions,
    gaussian_loop,
    rebuild,
    same_bits,
    temporary_mib,
)
from baffle.errors import ConfigError

SMALL = {"layers": 2, "width": 8, "repeats": 2, "sample": 0.0}


def test_every_case_has_a_row_for_each_library():
    before = torch.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]
    rows = list(rebuild(RebuildOptions(**SMALL)))
    assert [(r["kind"], r["directions"], r["bits"], r["library"]) for r in rows] == [
        (c.kind, c.directions, c.bits, library) for c in CASES for library in ("numpy", "torch")
    ]
    assert all(r["same_bits"] for r in rows)
    assert {(r["weights"], r["threads"], r["repeats"]) for r in rows} == {(2 * (64 + 8), 1, 2)}
    for r in rows:
        assert r["ratio"] == pytest.approx(r["gaussian_loop_seconds"] / r["seconds"])
        assert r["seconds"] > 0
        assert (r["temporary_mib"] is None) == (r["library"] == "torch")
    after = torch.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]
    assert after == before


def test_the_loop_at_many_directions_is_scaled_from_few():
    (row, _) = rebuild(RebuildOptions(**SMALL, cases=(Rebuild("rank_one", 96),)))
    assert row["gaussian_loop_directions"] == 32
    assert row["directions"] == 96


def test_the_loop_adds_the_noise_of_each_seed():
    run = gaussian_loop(50, 3)
    scalars = np.random.default_rng(0).standard_normal(3).tolist()
    expected = torch.zeros(50)
    for seed, scalar in enumerate(scalars):
        noise = torch.randn(50, generator=torch.Generator().manual_seed(seed))
        expected.add_(noise, alpha=scalar)
    for _ in range(2):
        assert torch.equal(run(), expected)


def test_other_bits_are_noticed():
    one = {"w": np.array([0.0], np.float32)}
    assert same_bits(one, {"w": torch.zeros(1)})
    assert not same_bits(one, {"w": torch.tensor([-0.0])})


def test_temporary_memory_leaves_the_estimate_out():
    def work():
        np.zeros(2**20)
        return {"w": np.zeros(2**20, np.float32)}

    assert temporary_mib(work) == pytest.approx(4, abs=0.1)  # 8 MiB held before 4 MiB are returned


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"width": 0}, {"repeats": 0}, {"threads": -1}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=f"--{next(iter(wrong))}"):
        RebuildOptions(**wrong)
