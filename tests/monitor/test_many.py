"""A monitor that fails is reported once and left out; the others and the training go on."""

import logging
import sys

import pytest

from baffle.errors import ConfigError
from baffle.monitor import MONITORS, Many, monitors_of
from tests.monitor.conftest import SUMMARY, abandoned, row


class Listener:
    """Remembers what it is told; fails at one call, and at closing if asked to."""

    def __init__(self, fails_at=None, error=None, fails_closing=False):
        self.heard, self.fails_at = [], fails_at
        self.error = error or OSError("disk full")
        self.fails_closing = fails_closing

    def _hear(self, call, what):
        self.heard.append((call, what))
        if call == self.fails_at:
            raise self.error

    def begin(self, about):
        self._hear("begin", about["round"])

    def row(self, row):
        self._hear("row", row["round"])

    def event(self, name, **fields):
        self._hear("event", (name, fields))

    def end(self, summary):
        self._hear("end", summary["rounds"])

    def close(self):
        self.heard.append(("close", None))
        if self.fails_closing:
            raise RuntimeError("not even that")


def told(many, about):
    with many:
        many.begin(about)
        for number in (1, 2):
            many.row(row(number))
        many.end(SUMMARY)


ALL = [("begin", 0), ("row", 1), ("row", 2), ("end", 5), ("close", None)]


@pytest.mark.parametrize("call", ["begin", "row", "end"])
@pytest.mark.parametrize("fails_closing", [False, True])
def test_the_first_failure_is_logged_and_the_last_that_is_asked(call, fails_closing, about, caplog):
    bad, good = Listener(call, fails_closing=fails_closing), Listener()
    with caplog.at_level(logging.WARNING, "baffle.monitor"):
        told(Many({"bad": bad, "good": good}), about)
    (line,) = caplog.messages
    assert "bad" in line
    assert "disk full" in line
    assert bad.heard == [*ALL[: [c for c, _ in ALL].index(call) + 1], ("close", None)]
    assert [heard for heard in good.heard if heard[0] != "event"] == ALL
    (event,) = [what for call, what in good.heard if call == "event"]
    assert event == (
        "monitor_failed",
        {"monitor": "bad", "at": call, "problem": "OSError: disk full"},
    )


def test_all_fail_and_the_training_goes_on(about, caplog):
    many = Many({"one": Listener("row"), "two": Listener("event"), "three": Listener("row")})
    told(many, about)
    assert many.names == ()
    assert len(caplog.messages) == 3


def test_what_ends_a_process_is_no_failure_of_a_monitor(about):
    many = Many({"one": Listener("row", KeyboardInterrupt())})
    with pytest.raises(KeyboardInterrupt):
        told(many, about)


def test_closing_twice(about):
    one = Listener()
    many = Many({"one": one})
    many.close()
    many.close()
    many.row(row(1))
    assert one.heard == [("close", None)]


OPTIONS = {
    "tensorboard": lambda folder: {"folder": folder / "board"},
    "mlflow": lambda folder: {"uri": (folder / "mlruns").as_uri()},
    "prometheus": lambda folder: {"port": 0},
    "logs": lambda folder: {"file": folder / "log"},
}


@pytest.mark.parametrize("name", MONITORS)
def test_every_monitor_takes_a_whole_run_and_its_resume(name, tmp_path, about, caplog):
    for done in (0, 3):
        with monitors_of({name: OPTIONS[name](tmp_path)}) as many:
            many.event("calibration", step_size=0.1)
            many.begin(about | {"round": done})
            for each in (row(done + 1), abandoned(done + 2), {"round": done + 3, "loss": None}):
                many.row(each)
            many.event("joined", client=3)
            many.end(SUMMARY | {"rounds": done + 3})
            assert many.names == (name,)
    assert caplog.messages == []


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "prometheus"])
def test_a_package_that_is_missing_names_the_extra(name, tmp_path, monkeypatch):
    package = {"prometheus": "prometheus_client"}.get(name, name)
    for module in [m for m in sys.modules if m.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, f"baffle.monitor.{name}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"pip install 'baffle\[{name}\]'"):
        monitors_of({name: OPTIONS[name](tmp_path)})


def test_a_monitor_that_cannot_be_made_closes_those_before_it(tmp_path):
    with monitors_of({"prometheus": {"port": 0}}) as many:
        port = many._monitors["prometheus"].port
    with pytest.raises(ConfigError, match="tensorboard, mlflow, prometheus, logs"):
        monitors_of({"prometheus": {"port": port}, "wandb": {}})
    with monitors_of({"prometheus": {"port": port}}) as many:  # the port is free again
        assert many.names == ("prometheus",)


def test_the_package_imports_none_of_what_it_writes_for():
    import subprocess

    code = "import sys, baffle.monitor; print([m for m in %r if m in sys.modules])"
    heavy = ("torch", "tensorboard", "mlflow", "prometheus_client")
    asked = [sys.executable, "-c", code % (heavy,)]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "[]\n"
