"""Each cell of the table of protections runs, or is refused with the reason."""

import numpy as np
import pytest
import torch

from baffle.config import resolve
from baffle.drivers.local.session import resume, start
from baffle.drivers.local.task import own_task
from baffle.errors import BoundError, ConfigError
from baffle.ledger import Ledger
from baffle.ledger.replay import states
from tests.protections.cells import CLIENTS, cells

BASE = {
    "rounds": 2,
    "data": {"name": "own", "partition": "own", "partition_options": {}},
    "model": {"name": "own"},
    "federation": {"clients": CLIENTS, "participation": 1.0},
    "probe": {"num_directions": 12, "pairs": 2, "batch": 3},
    "update": {"step_size": 0.01, "schedule": "constant"},
    "engine": {"chunk": 16, "threads": 1, "clients": 4},
    "output": {"evaluate_every": 0, "snapshot_every": 1},
}
RUNS = [cell for cell in cells() if cell.refusal is None]
REFUSED = [cell for cell in cells() if cell.refusal is not None]


def task():
    chance = np.random.default_rng(5)
    clients = [
        (chance.normal(size=(n, 3)).astype(np.float32), chance.integers(0, 2, n)) for n in SIZES
    ]
    torch.manual_seed(0)
    return own_task(torch.nn.Linear(3, 2), clients, torch.nn.functional.cross_entropy, None)


SIZES = [4, 5, 6] * (CLIENTS // 3)


@pytest.mark.parametrize("cell", RUNS, ids=str)
def test_it_runs_and_its_ledger_replays(cell, tmp_path):
    settings = resolve(BASE, cell.settings)
    session = start(settings, task(), tmp_path / "run")
    assert session.run()
    session.close()
    rows = session.log.rows
    assert not any(row["abandoned"] for row in rows)
    assert rows[-1]["reports"] == CLIENTS
    assert ("epsilon" in rows[-1]) == (cell.unit != "none")
    with Ledger.open(tmp_path / "run") as ledger:
        replayed = [found.state.digest().hex() for found in states(ledger, since=0)][1:]
        assert replayed == [row["digest"] for row in rows]
    least = min(CLIENTS // {"one": 1, "own": 3, "shared": 4}[cell.groups], CLIENTS)
    assert rows[-1]["smallest_sum"] == (least if cell.secure else 1)
    resume(tmp_path / "run", lambda _: task()).close()


@pytest.mark.parametrize("cell", REFUSED, ids=str)
def test_it_is_refused_with_the_reason_before_anything_is_written(cell, tmp_path):
    with pytest.raises(ConfigError, match=cell.refusal):
        start(resolve(BASE, cell.settings), task(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_both_kinds_of_cell_are_many():
    assert len(RUNS) + len(REFUSED) == 216
    assert len(RUNS) > 30


def test_privacy_never_calibrates_on_the_data(tmp_path):
    sections = {"secure": {"sums": True}, "privacy": {"unit": "client"}}
    with pytest.raises(ConfigError, match="outside the privacy budget"):
        start(resolve(BASE, sections, {"update": {"step_size": "auto"}}), task(), tmp_path / "run")


def test_groups_that_cannot_be_formed_are_refused():
    session = {"secure": {"sums": True}, "groups": {"number": 5}}
    with pytest.raises(ConfigError, match="12 clients a round make 4 groups of at least 3"):
        start(resolve(BASE, session), task(), None)
    few = {"secure": {"sums": True}, "federation": {"cohort": 2}}
    with pytest.raises(ConfigError, match="secure sums are of at least 3 clients"):
        start(resolve(BASE, few), task(), None)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (
            {"groups": {"number": 6}, "probe": {"num_directions": 2**22}},
            "groups times H·K must not pass",
        ),
        (
            {
                "secure": {"sums": True},
                "federation": {"weighting": "examples", "weight_cap": 2**31},
                "quantisation": {"bits": 2},
            },
            "take .* bits of 63",
        ),
        (
            {
                "secure": {"sums": True},
                "privacy": {"unit": "client", "noise_multiplier": 0.02, "epsilon": 1e9},
                "quantisation": {"bits": 6},
            },
            "use more bits",
        ),
    ],
    ids=["a plan too large", "lanes too wide", "noise too small"],
)
def test_what_no_round_could_hold_is_refused_before_anything_is_written(sections, said, tmp_path):
    with pytest.raises((ConfigError, BoundError), match=said):
        start(resolve(BASE, sections), task(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_round_that_could_never_count_is_refused():
    few = {"federation": {"cohort": 4, "min_reports": 5}}
    with pytest.raises(ConfigError, match="no round could ever count"):
        start(resolve(BASE, few), task(), None)
