"""The two apps against each other: Flower's own objects, no process and no socket between them."""

import json
import sys
from pathlib import Path

import pytest

from baffle.drivers.local.metrics import read_metrics
from baffle.drivers.local.session import start
from baffle.drivers.local.task import task_of
from baffle.errors import ConfigError
from baffle.ledger import Ledger
from tests.drivers.flower.fakes import RUN, FakeGrid, identity

pytestmark = pytest.mark.flower

APP = Path(__file__).parents[3] / "examples" / "flower"
NODES = (500, 501, 502)
RUN_CONFIG = {
    "rounds": 4,
    "federation.clients": 3,
    "federation.participation": 1.0,
    "probe.num-directions": 16,
    "probe.pairs": 4,
    "update.step-size": 0.05,
    "engine.chunk": 16,
    "engine.threads": 1,
    "engine.clients": 1,
    "engine.route": "rank_one",
    "output.evaluate-every": 2,
    "fleet.secrets": "simulated",
    "fleet.process": "own",
    "fleet.poll": 0.001,
    "fleet.gather": 30.0,
    "fleet.evaluate-every": 2,
}


def context(number, folder, config, own=None):
    from flwr.app import Context, RecordDict

    node = {"partition-id": number, "state-dir": str(folder / f"state-{number}")}
    node |= own or {}
    return Context(
        run_id=RUN, node_id=NODES[number], node_config=node, state=RecordDict(), run_config=config
    )


def federation(folder, server, client, nodes=None, **config):
    """Run both apps; returns the rows of the run's metrics."""
    from flwr.app import Context, RecordDict

    identity()
    config = {**RUN_CONFIG, "fleet.run-dir": str(folder / "run"), **config}
    own = nodes or {}
    contexts = {NODES[n]: context(n, folder, config, own.get(n)) for n in range(3)}

    def answered(message):
        return [client(message, contexts[message.metadata.dst_node_id])]

    grid = FakeGrid(set(NODES), answered)
    own = Context(run_id=RUN, node_id=1, node_config={}, state=RecordDict(), run_config=config)
    server(grid, own)
    return read_metrics(folder / "run")


def digests(rows):
    return [row["digest"] for row in rows]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    from baffle.drivers.flower.config import settings_of

    settings, _ = settings_of(RUN_CONFIG)
    session = start(settings, task_of(settings), tmp_path_factory.mktemp("local") / "run")
    session.run()
    session.close()
    return session.log.rows


def test_named_model_and_data_make_the_local_run(tmp_path, local):
    from baffle.flower import client_app, server_app

    rows = federation(tmp_path, server_app(), client_app())
    assert digests(rows) == digests(local)
    assert rows[-1]["test_accuracy"] == local[-1]["test_accuracy"]
    assert rows[2]["client_accuracy"] == pytest.approx(rows[1]["test_accuracy"])
    assert (tmp_path / "run" / "model.safetensors").exists()
    assert (tmp_path / "run" / "curves.png").exists()


def test_secure_sums_make_the_local_run(tmp_path):
    from baffle.drivers.flower.config import settings_of
    from baffle.flower import client_app, server_app

    secure = {"secure.sums": True, "secure.dropout": 0.3, "fleet.evaluate-every": 0}
    settings, _ = settings_of(RUN_CONFIG | secure)
    session = start(settings, task_of(settings), tmp_path / "local")
    session.run()
    session.close()
    rows = federation(tmp_path, server_app(), client_app(), **secure)
    assert digests(rows) == digests(session.log.rows)
    assert [row["reports"] for row in rows] == [3, 3, 3, 3]
    assert rows[-1]["faults"] == {}
    assert all(len(list(tmp_path.glob(f"state-{n}/*/wallet"))) == 1 for n in range(3))


def test_a_node_that_insists_on_secure_sums_joins_no_other_run(tmp_path):
    from baffle.flower import client_app, server_app

    node = {1: {"require-secure": True}}
    config = {"fleet.gather": 0.2, "fleet.min-clients": 2, "fleet.farewell": 0.2}
    rows = federation(tmp_path, server_app(), client_app(), node, **config)
    assert {row["reports"] for row in rows} == {2}
    assert rows[-1]["faults"].keys() == {"secure"}


@pytest.fixture
def template(monkeypatch):
    """The template app's modules, as Flower loads them."""
    monkeypatch.syspath_prepend(str(APP))
    for name in [n for n in sys.modules if n.split(".")[0] == "digits"]:
        monkeypatch.delitem(sys.modules, name)
    from digits import client_app, server_app, task

    return server_app.app, client_app.app, task


def test_the_template_makes_what_federate_makes(tmp_path, template):
    import torch

    import baffle
    from baffle.drivers.flower.config import nested

    server, client, task = template
    config = {k: v for k, v in nested(RUN_CONFIG).items() if k not in ("rounds", "fleet")}
    data = [task.make_data({"partition-id": n})[0] for n in range(3)]
    found = baffle.federate(
        task.make_model(), data, loss=torch.nn.functional.cross_entropy, rounds=4,
        test=task.test_data(), run_dir=tmp_path / "local", config=config,
    )  # fmt: skip
    rows = federation(tmp_path, server, client)
    assert digests(rows) == digests(found.history)


def test_the_templates_own_configuration_is_one_of_ours():
    import tomllib

    from baffle.drivers.flower.config import settings_of

    given = tomllib.loads((APP / "pyproject.toml").read_text(encoding="utf-8"))
    flat = flattened(given["tool"]["flwr"]["app"]["config"])
    settings, fleet = settings_of(flat)
    assert (settings.rounds, settings.federation.clients) == (30, 3)
    assert fleet.min_clients == 2
    # Flower lets a run override only what the app names.
    named = {key.removeprefix("fleet.").replace("-", "_") for key in flat if "fleet." in key}
    assert named == set(type(fleet).model_fields)


def test_a_client_with_its_own_secret_keeps_it(tmp_path, template):
    server, client, _ = template
    rows = federation(tmp_path, server, client, **{"fleet.secrets": "device"})
    secret = (tmp_path / "state-0" / "secret").read_bytes()
    assert len(secret) == 32
    assert (tmp_path / "state-0" / "secret").stat().st_mode & 0o077 == 0
    with Ledger.open(tmp_path / "run") as ledger:
        assert next(ledger.rows(4, 4)).digest.hex() == digests(rows)[-1]
    again = federation(tmp_path / "again", server, client, **{"fleet.secrets": "device"})
    assert digests(again)[0] != digests(rows)[0]  # another device, other mini-batches


def test_unknown_settings_are_refused_before_anything_happens(tmp_path, template):
    server, client, _ = template
    with pytest.raises(ConfigError, match=r"probe.k is no setting"):
        federation(tmp_path, server, client, **{"probe.k": 3})
    with pytest.raises(ConfigError, match=r"fleet.dedline is no setting"):
        federation(tmp_path, server, client, **{"fleet.dedline": 3})
    assert not (tmp_path / "run").exists()


def test_an_own_model_without_a_step_size_is_told_where_to_get_one(tmp_path, template):
    server, client, _ = template
    with pytest.raises(ConfigError, match="has no data to find it by"):
        federation(tmp_path, server, client, **{"update.step-size": "auto"})


def test_functions_without_a_name_are_called_where_they_are(tmp_path, template):
    from baffle.flower import client_app

    server, client, task = template
    unnamed = client_app(lambda: task.make_model(), lambda node: task.make_data(node))
    one = federation(tmp_path / "one", server, client)
    two = federation(tmp_path / "two", server, unnamed, **{"fleet.process": "auto"})
    assert digests(one) == digests(two)


def test_the_lasting_process_makes_the_same_run(tmp_path, template):
    from baffle.drivers.worker.call import stop

    server, client, _ = template
    one = federation(tmp_path / "one", server, client)
    try:
        two = federation(tmp_path / "two", server, client, **{"fleet.process": "lasting"})
    finally:
        for number in range(3):
            stop(tmp_path / "two" / f"state-{number}" / "worker")
    assert digests(one) == digests(two)


def flattened(table, prefix=""):
    flat = {}
    for key, value in table.items():
        inner = isinstance(value, dict)
        flat |= flattened(value, f"{prefix}{key}.") if inner else {prefix + key: value}
    return flat


def test_what_a_fleet_tells_others(tmp_path, template):
    server, client, _ = template
    log, uri = tmp_path / "run.log", (tmp_path / "mlruns").as_uri()
    told = {"fleet.log-json": str(log), "fleet.tensorboard": True, "fleet.mlflow": uri}
    rows = federation(tmp_path, server, client, **told)
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    events = [line["event"] for line in lines]
    assert events[0] == "begin"
    assert events[-1] == "end"
    assert events.count("joined") == 3
    assert [line["digest"] for line in lines if line["event"] == "round"] == digests(rows)
    assert list((tmp_path / "run").rglob("*tfevents*"))
    assert list((tmp_path / "mlruns").rglob("loss*"))


def test_a_monitor_that_cannot_begin_stops_the_run_before_it_begins(tmp_path, template):
    server, client, _ = template
    with pytest.raises(ConfigError, match="nowhere"):
        federation(tmp_path, server, client, **{"fleet.log-json": str(tmp_path / "nowhere" / "x")})
    assert not read_metrics(tmp_path / "run")
