"""Secure sums served, with real models and folders: the local driver's integers, round by round."""

import dataclasses
import itertools

import pytest

from baffle.config import FleetSettings, resolve
from baffle.drivers.fleet.run import open_run
from baffle.drivers.fleet.task import server_task
from baffle.drivers.local.session import start
from baffle.drivers.local.task import task_of
from baffle.errors import ConfigError
from baffle.ledger import Ledger
from baffle.report import summarise
from baffle.secagg import Wallet
from tests.drivers.fleet.loopback import CONFIG, Loopback, opened, served

SECURE = {"sums": True, "min_group": 3, "dropout": 0.3}
SIX = {
    **CONFIG,
    "federation": {"clients": 6, "participation": 1.0},
    "secure": SECURE,
    "groups": {"number": 2},
}


def local(folder, config):
    settings = resolve(config)
    session = start(settings, task_of(settings), folder / "local")
    session.run()
    session.close()
    return session.log.rows


def stored(folder):
    with Ledger.open(folder) as ledger:
        return [(row.plan, row.outcome, row.participants, row.digest) for row in ledger.rows()]


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"groups": {"number": 2, "directions": "shared"}},
        {
            "federation": {"clients": 6, "participation": 0.7, "weighting": "examples"},
            "groups": {"number": 1},
        },
        {"groups": {"number": 1}, "probe": {**CONFIG["probe"], "num_local_steps": 2}},
    ],
    ids=["two groups", "shared directions", "weights by examples", "two local steps"],
)
def test_a_fleet_makes_the_local_run(tmp_path, sections):
    config = SIX | sections
    rows = local(tmp_path, config)
    done, told = served(opened(tmp_path, config), Loopback(tmp_path, range(6)))
    assert done
    assert [r["digest"] for r in told.rows] == [r["digest"] for r in rows]
    assert stored(tmp_path / "run") == stored(tmp_path / "local")
    assert told.rows[-1]["faults"] == {}


def test_a_server_that_is_stopped_with_a_round_open_loses_that_round_and_goes_on(tmp_path):
    """Its clients masked their vectors for it, and mask no others."""
    transport = Loopback(tmp_path, range(6))
    run = opened(tmp_path, SIX)
    served(run, transport, lambda: run.coordinator.server.state.round >= 2)
    done, told = served(opened(tmp_path, SIX), transport)
    assert done
    assert [r["reports"] for r in told.rows] == [0, 6, 6]
    assert told.rows[-1]["faults"] == {"node": 6, "secure": 6}


def test_clients_that_start_again_have_their_wallets(tmp_path):
    run = opened(tmp_path, SIX)
    served(run, Loopback(tmp_path, range(6)), lambda: run.coordinator.server.state.round >= 2)
    path = tmp_path / "client-0" / run.coordinator.genesis.run.hex() / "wallet"
    before = Wallet.from_bytes(path.read_bytes())
    assert path.stat().st_mode & 0o777 == 0o600
    done, told = served(opened(tmp_path, SIX), Loopback(tmp_path, range(6)))
    after = Wallet.from_bytes(path.read_bytes())
    assert done
    assert before.private == after.private
    assert after.label > before.label
    assert told.rows[-1]["digest"] == local(tmp_path, SIX)[-1]["digest"]


def test_what_a_client_sends_does_not_grow_with_its_model(tmp_path):
    """Two exchanges: a masked vector, and shares for five neighbours."""
    _, told = served(opened(tmp_path, SIX), Loopback(tmp_path, range(6)))
    ups = {b["bytes_up"] - a["bytes_up"] for a, b in itertools.pairwise(told.rows[:-1])}
    assert len(ups) == 1
    assert ups.pop() / 6 < 600


def test_a_run_with_noise_ends_when_its_budget_is_spent(tmp_path):
    privacy = {"unit": "client", "epsilon": 50.0, "noise_multiplier": 0.6}
    config = SIX | {
        "groups": {"number": 1},
        "rounds": 40,
        "federation": {"clients": 6, "participation": 1.0, "min_reports": 3},
        "privacy": privacy,
    }
    run = opened(tmp_path, config)
    done, told = served(run, Loopback(tmp_path, range(6)))
    assert done
    assert 1 <= len(told.rows) < 40
    spent = [row["epsilon"] for row in told.rows]
    assert spent == sorted(spent)
    assert spent[-1] <= 50.0 < run.budget._epsilon(len(told.rows) + 1)


def test_noise_is_chosen_for_the_budget_and_the_run_repeats_but_for_it(tmp_path):
    privacy = {"unit": "example", "epsilon": 20.0, "sampling": 0.5}
    config = SIX | {"groups": {"number": 1}, "rounds": 2, "privacy": privacy}
    run = opened(tmp_path, config)
    assert run.coordinator.genesis.privacy.noise_multiplier > 0
    done, told = served(run, Loopback(tmp_path, range(6)))
    assert done
    assert [row["reports"] for row in told.rows] == [6, 6]
    assert told.rows[-1]["faults"] == {}


def test_a_round_of_fewer_clients_than_a_sum_needs_is_no_run(tmp_path):
    with pytest.raises(ConfigError, match="secure sums are of at least 3 clients"):
        opened(tmp_path, {**SIX, "federation": {"clients": 2}})


def test_single_clients_are_not_asked_to_evaluate_and_would_not(tmp_path):
    fleet = FleetSettings(evaluate_every=1)
    with pytest.raises(ConfigError, match="no single client says anything"):
        open_run(resolve(SIX), fleet, lambda s: server_task(s, None, None, None), tmp_path / "run")
    run, nodes = opened(tmp_path, SIX), Loopback(tmp_path, range(6))
    pace = run.coordinator.pace
    run.coordinator.pace = dataclasses.replace(pace, evaluate_every=1)
    done, told = served(run, nodes)
    assert done
    assert not any("client_loss" in row for row in told.rows)


def test_the_rows_say_what_the_server_saw_and_the_report_what_that_reveals(tmp_path):
    _, told = served(opened(tmp_path, SIX), Loopback(tmp_path, range(6)))
    assert {row["smallest_sum"] for row in told.rows} == {3}
    assert "2 sums a round" in summarise(tmp_path / "run").revealed["the server"]
    assert "the smallest over 3 clients" in summarise(tmp_path / "run").revealed["the server"]
