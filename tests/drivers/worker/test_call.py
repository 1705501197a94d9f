"""What a caller sees: answers, errors, memory between calls, another worker for other orders."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest

from baffle.drivers.worker.call import stop
from baffle.errors import ConfigError, DataError, DecodeError, LedgerTampered, Refused, WorkerError
from tests.drivers.worker.conftest import HANDLERS, PATHS, processes_of, wait_until


def test_a_worker_remembers_between_calls(folder):
    assert [folder.ask(b"count") for _ in range(3)] == [b"1", b"2", b"3"]
    assert folder.ask(b"join", b"", b"a" * 3_000_000, b"b") == b"a" * 3_000_000 + b"b"
    assert folder.ask(b"join") == b""


def test_a_factory_below_a_class(folder):
    assert folder.ask(b"a", b"b", factory="Made.echo") == b"a|b"


def test_the_worker_starts_light_in_its_paths_and_folder(folder, tmp_path):
    assert folder.ask(b"modules", cwd=str(tmp_path)) == b"[]"
    cwd, *paths, session, parent = folder.ask(b"where", cwd=str(tmp_path)).decode().split("\n")
    assert cwd == str(tmp_path)
    assert paths == [os.path.normpath(tmp_path / path) for path in PATHS]
    assert int(session) == folder.pid(cwd=str(tmp_path)) != os.getsid(0)
    assert int(parent) != os.getpid()


def test_other_options_reference_or_paths_are_another_worker(folder):
    first = folder.pid(options={"a": 1, "b": 2})
    assert folder.pid(options={"b": 2, "a": 1}) == first
    assert folder.ask(b"options", options={"a": [1, None, "x"]}) == b"{'a': [1, None, 'x']}"
    second = folder.pid(options={"a": [1, None, "x"]})
    third = folder.pid(options={"a": [1, None, "x"]}, paths=[*PATHS, "/nowhere"])
    assert len({first, second, third}) == 3
    assert processes_of(folder.path) == [third]


@pytest.mark.parametrize(
    ("deed", "kind", "message"),
    [
        (b"data error", DataError, "no digits here"),
        (b"refused", Refused, "an old round"),
        (b"tampered", LedgerTampered, "round 7 differs"),
        (b"value error", WorkerError, "the handler failed: ValueError: odd"),
        (b"exit", WorkerError, "the handler failed: SystemExit: gone"),
        (b"text", WorkerError, "the handler failed: TypeError: a handler must return bytes"),
        (b"unknown", WorkerError, "the handler failed: KeyError: b'unknown'"),
    ],
)
def test_an_error_of_the_handler_comes_back_and_the_worker_stays(folder, deed, kind, message):
    before = folder.pid()
    with pytest.raises(kind) as caught:
        folder.ask(deed)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(message)
    assert getattr(caught.value, "reason", "stale") == "stale"
    assert getattr(caught.value, "round", 7) == 7
    assert folder.pid() == before


def test_an_error_of_the_factory_keeps_its_class_and_shows_the_log(folder):
    with pytest.raises(ConfigError) as caught:
        folder.ask(b"pid", factory="refuse", options={"missing": "digits"})
    lines = str(caught.value).splitlines()
    assert lines[0] == "this client has no digits"
    assert lines[1] == f"The end of {folder.path / 'worker.log'}:"
    assert "ConfigError: this client has no digits" in lines[-1]
    assert folder.ask(b"count") == b"1"


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("burst", "the worker could not start: RuntimeError: no such thing"),
        ("leave", "the worker in "),
        ("nothing", "'tests.drivers.worker.handlers:nothing' must return a callable handler, got"),
        ("missing", "'tests.drivers.worker.handlers:missing' names no factory"),
    ],
)
def test_a_start_that_fails_says_why(folder, factory, message):
    folder.ask(b"print", b"1")
    with pytest.raises((WorkerError, ConfigError)) as caught:
        folder.ask(b"pid", factory=factory)
    assert str(caught.value).startswith(message)
    assert "yyy" not in str(caught.value)  # an earlier worker's part of the log
    assert ("about to burst" in str(caught.value)) == (factory == "burst")


def test_a_module_that_is_not_there(folder):
    from baffle.drivers.worker.call import call

    with pytest.raises(WorkerError, match="ModuleNotFoundError: No module named 'nowhere'"):
        call(folder.path, "nowhere.at_all:make", {}, [], patience=20, watch_pid=None)


@pytest.mark.parametrize("reference", ["", "os", "os:", ":x", "os.path:a b", "os:__import__('x')"])
def test_a_reference_of_another_form_is_refused_before_anything_starts(folder, reference):
    from baffle.drivers.worker.call import call

    with pytest.raises(ConfigError, match="module:qualname"):
        call(folder.path, reference, {}, [], patience=5, watch_pid=None)
    assert not folder.path.exists()


@pytest.mark.parametrize("options", [{"a": float("nan")}, {"a": {1, 2}}, {"a": "x" * (1 << 20)}])
def test_options_that_json_cannot_hold(folder, options):
    with pytest.raises(ConfigError, match="options"):
        folder.ask(b"pid", options=options)
    assert not processes_of(folder.path)


def test_a_request_and_an_answer_have_a_limit(folder):
    before = folder.pid(limit=1000)
    with pytest.raises(ConfigError, match="at most 1000 bytes, got 1001"):
        folder.ask(b"join", b"a" * 997, limit=1000)
    assert folder.ask(b"join", b"a" * 996, limit=1000) == b"a" * 996
    with pytest.raises(DecodeError, match="at most 131072 bytes, got 200000"):
        folder.ask(b"much", b"200000", limit=1000)
    assert folder.pid(limit=1000) == before


def test_another_users_folder_is_refused(folder, monkeypatch):
    folder.path.mkdir(mode=0o700)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 4711)
        with pytest.raises(ConfigError, match=r"belongs to user [0-9]+, not us"):
            folder.pid()
    assert not list(folder.path.iterdir())


@pytest.mark.parametrize("name", ["patience", "idle_s", "start_s"])
@pytest.mark.parametrize("value", [0, -1, 1e6, float("nan"), float("inf")])
def test_times_that_no_clock_can_wait_for(folder, name, value):
    with pytest.raises(ConfigError, match=rf"^{name} is a number of seconds"):
        folder.pid(**{name: value})


def test_the_longest_times(folder):
    longest = {"patience": 999_999.0, "idle_s": 999_999.0, "start_s": 999_999.0}
    assert folder.pid(**longest) == folder.pid(**longest)


def test_another_version_is_another_worker_and_cannot_be_had_by_accident(folder, monkeypatch):
    before = folder.pid()
    monkeypatch.setattr("baffle.drivers.worker.orders.__version__", "99.0")
    with pytest.raises(ConfigError, match=r"lead to baffle .*, but its caller is baffle 99\.0"):
        folder.pid()
    assert wait_until(lambda: not processes_of(folder.path))
    monkeypatch.undo()
    assert folder.pid() != before


def test_an_open_folder_is_closed_to_others(folder):
    folder.path.mkdir(mode=0o755)
    folder.pid()
    assert folder.path.stat().st_mode & 0o777 == 0o700
    for name in ("worker.key", "worker.json", "worker.log"):
        assert (folder.path / name).stat().st_mode & 0o777 == 0o600
    assert len((folder.path / "worker.key").read_bytes()) == 32


def test_stopping_leaves_log_and_locks_alone(folder):
    stop(folder.path)
    folder.pid()
    stop(folder.path)
    stop(folder.path)
    left = {path.name for path in folder.path.iterdir()}
    assert left == {"worker.log", "worker.lock", "start.lock"}


def test_the_callers_output_ends_with_the_caller_and_the_worker_stays(folder):
    code = f"""
        from pathlib import Path
        from baffle.drivers.worker.call import call
        paths = {PATHS!r}
        path, name = Path({str(folder.path)!r}), "{HANDLERS}:behave"
        print(call(path, name, {{}}, [b"pid"], patience=20, watch_pid=None, paths=paths).decode())
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    begun = time.monotonic()
    # Reads to the end of both pipes, so it would wait for a worker that has a share of one.
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)
    assert time.monotonic() - begun < 20
    assert done.stderr == b""
    folder.pids.add(int(done.stdout))
    assert folder.pid() == int(done.stdout)


def test_the_caller_imports_next_to_nothing():
    code = "import sys, baffle.drivers.worker.call; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(done.stdout.decode().split())
    heavy = {"torch", "numpy", "flwr", "asyncio", "dataclasses", "inspect", "ssl"}
    assert not loaded & heavy
    assert {name for name in loaded if name.startswith("baffle.")} <= {
        "baffle.errors",
        "baffle.drivers",
        "baffle.drivers.worker",
        *(f"baffle.drivers.worker.{name}" for name in _LIGHT),
    }


_LIGHT = ["call", "frames", "locks", "orders", "place", "processes", "replies", "state", "terms"]
