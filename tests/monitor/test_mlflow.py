"""MLflow's own client finds what was written; a server that is gone is found out soon."""

import os
import socket
import time

import pytest

from baffle.monitor.mlflow import DEFAULTS, MLflow
from tests.monitor.conftest import RUN, SUMMARY, abandoned, row


@pytest.fixture
def uri(tmp_path):
    return (tmp_path / "mlruns").as_uri()


@pytest.fixture
def client(uri, monkeypatch):
    from mlflow.tracking import MlflowClient

    for name, value in DEFAULTS.items():
        monkeypatch.setenv(name, value)
    client = MlflowClient(tracking_uri=uri)
    for name in DEFAULTS:
        monkeypatch.delenv(name)
    return client


def only_run(client):
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    try:
        experiment = client.get_experiment_by_name("baffle")
        (run,) = client.search_runs([experiment.experiment_id])
    finally:
        del os.environ["MLFLOW_ALLOW_FILE_STORE"]
    return run


def history(client, run, tag):
    found = client.get_metric_history(run.info.run_id, tag)
    return [(m.step, m.value) for m in sorted(found, key=lambda m: m.step)]


def begun(uri, about, rows):
    monitor = MLflow(uri)
    monitor.begin(about)
    for each in rows:
        monitor.row(each)
    return monitor


def test_settings_figures_and_tags(uri, about, client):
    monitor = begun(uri, about, [row(1), abandoned(2), row(3)])
    assert only_run(client).info.status == "RUNNING"
    monitor.end(SUMMARY)
    monitor.close()
    monitor.close()
    run = only_run(client)
    assert run.data.params == {
        "algorithm": "baffle",
        "rounds": "5",
        "probe.radius": "0.001953125",
        "probe.batch": "8",
    }
    assert history(client, run, "loss/loss") == [(1, 2.0), (3, 2.0 / 3)]
    assert history(client, run, "fleet/abandoned") == [(1, 0.0), (2, 1.0), (3, 0.0)]
    assert history(client, run, "refused/late") == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert "estimate/even_to_odd" not in run.data.metrics
    assert run.data.tags["baffle.run"] == RUN
    assert run.data.tags["baffle.digest"] == SUMMARY["digest"]
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")


def test_a_resumed_run_goes_on_in_the_same_place(uri, about, client):
    begun(uri, about, [row(1), row(2)]).end(SUMMARY | {"rounds": 2})
    assert only_run(client).info.status == "KILLED"
    again = begun(uri, about | {"round": 2}, [row(3)])
    assert only_run(client).info.status == "RUNNING"
    again.end(SUMMARY)
    run = only_run(client)
    assert history(client, run, "loss/loss") == [(1, 2.0), (2, 1.0), (3, 2.0 / 3)]
    assert run.info.status == "FINISHED"


def test_another_run_is_another_one(uri, about, client):
    begun(uri, about, [row(1)]).close()
    begun(uri, about | {"run": "ff" * 16}, [row(1)]).close()
    experiment = client.get_experiment_by_name("baffle")
    tags = {r.data.tags["baffle.run"] for r in client.search_runs([experiment.experiment_id])}
    assert tags == {RUN, "ff" * 16}


def test_a_run_that_does_not_come_to_its_end_has_failed(uri, about, client):
    monitor = begun(uri, about, [row(1)])
    monitor.event("joined", client=3)
    monitor.close()
    run = only_run(client)
    assert run.info.status == "FAILED"
    assert run.data.tags["baffle.event.joined"] == '{"client": 3}'


def test_more_settings_than_one_request_takes(uri, about, client):
    about["settings"] = {"many": {f"setting{i}": i for i in range(250)}}
    begun(uri, about, []).close()
    assert len(only_run(client).data.params) == 250


def test_the_users_environment_is_left_alone(uri, about, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    before = {name: os.environ.get(name) for name in DEFAULTS}
    begun(uri, about, [row(1)]).close()
    assert {name: os.environ.get(name) for name in DEFAULTS} == before


def test_a_server_that_is_not_there_is_found_out_soon(about):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # nobody listens at it
        monitor = MLflow(f"http://127.0.0.1:{port}")
        started = time.monotonic()
        with pytest.raises(Exception, match=r"(?i)max retries|connection|refused"):
            monitor.begin(about)
    assert time.monotonic() - started < 8
    monitor.close()
