"""The loop of a fleet's server, with real models and folders, and no network."""

import itertools
import json

import pytest
import torch

from baffle.config import fleet_settings, resolve
from baffle.drivers.fleet.run import open_run
from baffle.drivers.fleet.serve import Serving
from baffle.drivers.fleet.task import server_task
from baffle.drivers.local.metrics import read_metrics
from baffle.drivers.local.session import start
from baffle.drivers.local.task import task_of
from baffle.errors import ConfigError, LedgerError, LedgerFull
from baffle.ledger import Ledger
from baffle.ledger.replay import replay
from baffle.protocol.exchange.answer import HEAD_BYTES
from tests.drivers.fleet.loopback import CONFIG, Loopback, opened, served


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The rows of the same run by the local driver."""
    settings = resolve(CONFIG)
    session = start(settings, task_of(settings), tmp_path_factory.mktemp("local") / "run")
    session.run()
    session.close()
    return session.log.rows


def digests(rows):
    return [row["digest"] for row in rows]


def test_a_fleet_makes_the_local_run(tmp_path, local):
    done, told = served(opened(tmp_path), Loopback(tmp_path))
    assert done
    assert digests(told.rows) == digests(local)
    assert [r.get("test_accuracy") for r in told.rows] == [r.get("test_accuracy") for r in local]


def test_a_client_sends_no_more_than_its_report(tmp_path, local):
    _, told = served(opened(tmp_path), Loopback(tmp_path))
    for before, after in itertools.pairwise(told.rows):
        report = 56 + 2 * after["num_directions"]
        assert after["bytes_up"] - before["bytes_up"] == 3 * (report + HEAD_BYTES)


def test_the_clients_evaluate_on_what_is_held_out_for_them(tmp_path, local):
    _, told = served(opened(tmp_path, evaluate_every=2), Loopback(tmp_path))
    # Round 2's ask evaluates the state after two rounds, which the server evaluated as well.
    assert told.rows[2]["client_accuracy"] == pytest.approx(told.rows[1]["test_accuracy"])
    assert told.rows[2]["client_loss"] == pytest.approx(told.rows[1]["test_loss"], abs=1e-4)
    assert "client_accuracy" not in told.rows[1]


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_server_that_starts_again_goes_on(tmp_path, local, after):
    transport = Loopback(tmp_path)
    run = opened(tmp_path)
    done, first = served(run, transport, lambda: run.coordinator.server.state.round >= after)
    assert not done
    done, second = served(opened(tmp_path), transport)
    assert done
    logged = [
        json.loads(x) for x in (tmp_path / "run" / "metrics.jsonl").read_text().split("\n")[:-1]
    ]
    assert digests(logged) == digests(local)
    assert len(first.rows) + len(second.rows) == len(local)


def test_clients_that_start_again_go_on_from_their_folders(tmp_path, local):
    run = opened(tmp_path)
    served(run, Loopback(tmp_path), lambda: run.coordinator.server.state.round >= 3)
    again = Loopback(tmp_path)
    _, told = served(opened(tmp_path), again)
    assert digests(told.rows) == digests(local[3:])
    asks = [m for m in again.log if len(m.parts) > 1]
    assert asks == []  # nobody needed a snapshot


def test_a_full_disk_holds_the_round_until_there_is_room(tmp_path, local, monkeypatch):
    append, refused = Ledger.append, []

    def full(self, row):
        if row.round == 3 and len(refused) < 4:
            refused.append(row.digest)
            raise LedgerFull("no room")
        append(self, row)

    monkeypatch.setattr(Ledger, "append", full)
    transport = Loopback(tmp_path)
    _, told = served(opened(tmp_path), transport)
    assert digests(told.rows) == digests(local)
    assert refused == refused[:1] * 4
    assert [name for name, _ in told.events].count("disk full") == 4


def test_a_disk_that_stays_full_ends_the_server_with_nothing_acknowledged(tmp_path, monkeypatch):
    def full(self, row):
        raise LedgerFull("no room")

    monkeypatch.setattr(Ledger, "append", full)
    transport = Loopback(tmp_path)
    with pytest.raises(LedgerFull):
        served(opened(tmp_path, patience=10.0), transport)
    assert all(not client._replica.state.round for client in transport.clients.values())


def test_a_silent_client_costs_a_deadline_and_is_counted(tmp_path):
    transport = Loopback(tmp_path)
    run = opened(tmp_path)
    handle = transport.clients[102].handle_ask
    transport.clients[102].handle_ask = lambda ask, chunks: (
        handle(ask, chunks) if len(transport.log) < 5 else handle(b"", ())
    )
    _, told = served(run, transport)
    assert [row["reports"] for row in told.rows[1:]] == [2] * 4
    assert told.rows[-1]["faults"]["decode"] >= 4


def test_nobody_there_opens_no_round(tmp_path):
    run, ticks = opened(tmp_path), iter(range(200))
    done, told = served(run, Loopback(tmp_path, numbers=()), lambda: next(ticks) > 150)
    assert (done, told.rows) == (False, [])
    assert run.coordinator.server.state.round == 0


def test_too_few_reports_abandon_the_round_and_say_why(tmp_path):
    config = CONFIG | {"federation": {**CONFIG["federation"], "min_reports": 3}}
    transport = Loopback(tmp_path)
    run = opened(tmp_path, config)
    quiet = lambda: run.coordinator.server.state.round >= 2  # noqa: E731
    handle = transport.clients[101].handle_ask
    transport.clients[101].handle_ask = lambda ask, chunks: (
        handle(ask, chunks) if not quiet() else b"what"
    )
    done, told = served(run, transport)
    assert done
    assert [row["abandoned"] for row in told.rows] == [False, False, True, True, True]
    said = [fields["text"] for name, fields in told.events if name == "abandoned"]
    assert "expected at least 3 reports of 3 asked, got 2" in said[0]
    assert "1 did not answer in time" in said[0]


def test_another_run_in_the_folder_is_not_gone_on_with(tmp_path):
    served(opened(tmp_path), Loopback(tmp_path))
    other = CONFIG | {"rounds": 6, "probe": {"num_directions": 17, "pairs": 4}}
    with pytest.raises(ConfigError, match=r"rounds = 5 \(asked: 6\), probe.num_directions = 16"):
        opened(tmp_path, other)


def test_a_run_that_is_done_says_so_at_once(tmp_path, local):
    served(opened(tmp_path), Loopback(tmp_path))
    done, told = served(opened(tmp_path), Loopback(tmp_path, numbers=()))
    assert (done, told.rows) == (True, [])


def test_the_folder_is_that_of_any_run(tmp_path, local):
    served(opened(tmp_path), Loopback(tmp_path))
    with Ledger.open(tmp_path / "run") as ledger:
        ledger.verify()
        assert replay(ledger).state.digest().hex() == local[-1]["digest"]
    status = json.loads((tmp_path / "run" / "fleet.json").read_text())
    assert (status["stage"], status["registered"]) == ("done", 3)


def test_a_server_killed_after_the_last_round_still_says_farewell(tmp_path, local, monkeypatch):
    transport = Loopback(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Serving, "_farewell", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            served(opened(tmp_path), transport)
    assert {c._replica.state.round for c in transport.clients.values()} == {4}
    _, told = served(opened(tmp_path), transport)
    assert {c._replica.digest.hex() for c in transport.clients.values()} == {local[-1]["digest"]}
    assert told.events[-1] == ("farewell", {"agreed": 3, "there": 3})


def test_the_final_state_is_evaluated_at_the_clients(tmp_path, local):
    _, told = served(opened(tmp_path, evaluate_every=2), Loopback(tmp_path))
    name, figures = told.events[-1]
    assert name == "farewell"
    assert figures["client_accuracy"] == pytest.approx(local[-1]["test_accuracy"])
    assert told.rows[2]["client_round"] == 2


def test_what_a_crash_at_the_start_kept_from_being_written_is_written(tmp_path, local):
    opened(tmp_path).close()
    (tmp_path / "run" / "config.toml").unlink()
    _, told = served(opened(tmp_path), Loopback(tmp_path))
    assert digests(told.rows) == digests(local)
    assert (tmp_path / "run" / "config.toml").exists()


def test_a_run_without_its_first_state_takes_only_the_model_that_it_began_with(
    tmp_path, local, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "save", lambda self, state: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            opened(tmp_path)

    def another(settings):
        task = server_task(settings, None, None, None)
        with torch.no_grad():
            next(task.model.parameters()).add_(1)
        return task

    with pytest.raises(LedgerError, match="not those that it began with"):
        open_run(resolve(CONFIG), fleet_settings({}), another, tmp_path / "run")
    _, told = served(opened(tmp_path), Loopback(tmp_path))  # the folder is not lost
    assert digests(told.rows) == digests(local)


def test_a_full_disk_at_the_roster_or_the_metrics_loses_nothing(tmp_path, local, monkeypatch):
    import baffle.drivers.fleet.run as run_module
    import baffle.drivers.local.metrics as metrics_module

    write, write_all, failed = run_module.durable.write, metrics_module._write_all, []

    def roster(path, data):
        if path.name == "members.json" and "roster" not in failed:
            failed.append("roster")
            raise OSError(28, "No space left on device")
        write(path, data)

    def metrics(file, data):
        if b'"round": 2' in data and failed.count("metrics") < 2:
            failed.append("metrics")
            write_all(file, data[:20])
            raise OSError(28, "No space left on device")
        write_all(file, data)

    monkeypatch.setattr(run_module.durable, "write", roster)
    monkeypatch.setattr(metrics_module, "_write_all", metrics)
    _, told = served(opened(tmp_path), Loopback(tmp_path))
    assert sorted(failed) == ["metrics", "metrics", "roster"]
    assert digests(told.rows) == digests(read_metrics(tmp_path / "run")) == digests(local)
    assert (tmp_path / "run" / "members.json").exists()


def test_a_run_goes_on_under_its_own_key_or_not_at_all(tmp_path):
    run = opened(tmp_path)
    served(run, Loopback(tmp_path), lambda: run.coordinator.server.state.round >= 2)
    key = (tmp_path / "run" / "server.key").read_bytes()
    assert b"PRIVATE KEY" in key
    (tmp_path / "run" / "server.key").unlink()
    with pytest.raises(ConfigError, match=r"server\.key: expected a private key"):
        opened(tmp_path)
    assert not (tmp_path / "run" / "server.key").exists()
    (tmp_path / "run" / "server.key").write_bytes(key)
    assert served(opened(tmp_path), Loopback(tmp_path))[0]


def test_more_clients_than_there_are_cannot_be_waited_for(tmp_path):
    with pytest.raises(ConfigError, match="min_clients is 4, and the run has 3 clients"):
        opened(tmp_path, min_clients=4)


def test_what_clients_probe_on_is_not_made_up(tmp_path):
    from baffle.report import summarise

    config = CONFIG | {"probe": {**CONFIG["probe"], "batch": 0}}
    run = opened(tmp_path, config)
    served(run, Loopback(tmp_path), lambda: run.coordinator.server.state.round >= 2)
    served(opened(tmp_path, config), Loopback(tmp_path))
    rows = read_metrics(tmp_path / "run")
    assert [row["example_evaluations"] for row in rows] == [None] * 5
    assert rows[-1]["probes"] > rows[0]["probes"] > 0
    assert summarise(tmp_path / "run").example_evaluations is None
