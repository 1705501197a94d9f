"""Prometheus' own parser reads what the endpoint serves on loopback."""

import math
import threading
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from baffle.errors import ConfigError
from baffle.monitor.prometheus import Prometheus
from tests.monitor.conftest import RUN, abandoned, row


@pytest.fixture
def monitor():
    made = Prometheus(port=0)
    yield made
    made.close()


def families(monitor):
    with urlopen(f"http://127.0.0.1:{monitor.port}/metrics", timeout=5) as answer:
        return {f.name: f for f in text_string_to_metric_families(answer.read().decode())}


def value(found, name, **labels):
    (sample,) = [
        s for s in found[name].samples if s.labels == labels and not s.name.endswith("_created")
    ]
    return sample.value


def test_gauges_are_the_newest_and_counters_add_up(monitor, about):
    monitor.begin(about)
    for number in (1, 2, 3):
        monitor.row(row(number))
    found = families(monitor)
    assert value(found, "baffle_run_info", run=RUN, algorithm="baffle") == 1
    assert (value(found, "baffle_round"), value(found, "baffle_rounds_planned")) == (3, 5)
    assert value(found, "baffle_loss") == pytest.approx(2 / 3)
    assert value(found, "baffle_reports") == 24  # a count a round, added
    assert value(found, "baffle_deadline_hit") == 3
    assert value(found, "baffle_bytes_up") == 300  # a running total, taken over
    assert value(found, "baffle_refused", reason="late") == 3
    assert value(found, "baffle_faults", reason="timeout") == 6
    kinds = {name: found[name].type for name in ("baffle_loss", "baffle_reports", "baffle_refused")}
    assert kinds == {
        "baffle_loss": "gauge",
        "baffle_reports": "counter",
        "baffle_refused": "counter",
    }
    assert all(s.name.endswith("_total") for s in found["baffle_bytes_up"].samples)


def test_what_is_not_known_now_is_nan_and_what_was_not_measured_stays(monitor, about):
    monitor.begin(about)
    monitor.row(row(1, test_accuracy=0.5))
    monitor.row(abandoned(2))
    found = families(monitor)
    assert math.isnan(value(found, "baffle_loss"))
    assert value(found, "baffle_test_accuracy") == 0.5
    assert value(found, "baffle_abandoned") == 1


def test_no_name_is_served_that_could_break_the_format(monitor, about):
    monitor.begin(about)
    monitor.row(row(1, refused={'a"} 1\nevil 7\n': 2}, bytes_up="many"))
    found = families(monitor)
    assert "evil" not in found
    assert value(found, "baffle_refused", reason="a___1_evil_7_") == 2
    assert "baffle_bytes_up" not in found


def test_the_number_of_reasons_is_bounded(monitor, about):
    monitor.begin(about)
    monitor.row(row(1, refused={f"reason{i}": 1 for i in range(1000)}))
    samples = families(monitor)["baffle_refused"].samples
    assert len(samples) == 51
    assert sum(s.value for s in samples) == 1000


def test_a_resumed_run_goes_on(about):
    first = Prometheus(port=0)
    first.begin(about)
    first.row(row(1))
    first.close()
    second = Prometheus(port=first.port)
    try:
        second.begin(about | {"round": 1})
        assert value(families(second), "baffle_round") == 1
        second.row(row(2))
        assert value(families(second), "baffle_bytes_up") == 200
    finally:
        second.close()


def test_events_are_counted_by_name(monitor):
    monitor.event("calibration", loss=1.0)
    monitor.event("calibration", loss=2.0)
    assert value(families(monitor), "baffle_events", event="calibration") == 2


def test_a_port_that_is_taken_and_an_address_of_someone_else(monitor):
    with pytest.raises(ConfigError, match=f"127.0.0.1:{monitor.port}"):
        Prometheus(port=monitor.port)
    with pytest.raises(ConfigError, match="another port"):
        Prometheus(port=0, host="192.0.2.1")


def test_closing_twice_and_nothing_left(about):
    before = threading.active_count()
    monitor = Prometheus(port=0)
    monitor.begin(about)
    monitor.close()
    monitor.close()
    assert threading.active_count() == before
    with pytest.raises(URLError):
        urlopen(f"http://127.0.0.1:{monitor.port}/metrics", timeout=2)
