"""`baffle watch`, and the options that hand a run to other tools."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from baffle.cli import watch
from baffle.report.outside import Outside
from tests.cli.run_cli import call, last_json
from tests.cli.test_commands import FAST


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A run of three rounds with all monitors, resumed to its end with them."""
    from baffle.cli.main import main

    base = tmp_path_factory.mktemp("watched")
    options = ["--tensorboard", "--mlflow", (base / "mlruns").as_uri(), "--prometheus", "0",
               "--log-json", str(base / "log.jsonl")]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baffle.cli.interrupt.Interrupt.__call__", _third_time())
        _main(main, "run", *FAST, "--out", base / "run", *options)
    _main(main, "resume", base / "run", *options)
    return base


def _third_time():
    asked = []

    def stop(self):
        asked.append(1)
        self.caught = len(asked) > 3
        return self.caught

    return stop


def _main(main, *args):
    with pytest.raises(SystemExit) as end:
        main([str(arg) for arg in args])
    assert not end.value.code


def test_monitors_follow_a_run_over_its_resume(watched):
    board = EventAccumulator(str(watched / "run" / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("loss/loss")] == [1, 2, 3, 4, 5, 6]
    lines = [json.loads(line) for line in (watched / "log.jsonl").read_text().splitlines()]
    whole = [("begin", 0), *(("round", n) for n in (1, 2, 3)), ("end", 3)]
    whole += [("begin", 3), *(("round", n) for n in (4, 5, 6)), ("end", 6)]
    assert [(line["event"], line["round"]) for line in lines] == whole
    assert len({line["run"] for line in lines}) == 1
    rows = (watched / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["digest"] for row in rows] == [
        line["digest"] for line in lines if line["event"] == "round"
    ]
    runs = [p for p in (watched / "mlruns").rglob("meta.yaml") if len(p.parent.name) == 32]
    assert len(runs) == 1


def test_monitors_change_nothing_of_the_run(watched, tmp_path, capsys):
    call(capsys, "run", *FAST, "--out", tmp_path / "plain")
    digests = [
        [json.loads(line)["digest"] for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (tmp_path / "plain", watched / "run")
    ]
    assert digests[0] == digests[1]
    assert not (tmp_path / "plain" / "tensorboard").exists()


@pytest.mark.parametrize("port", ["many", "65536", "-1", "localhost:", "1.5"])
def test_an_address_that_is_none(port, tmp_path, capsys):
    code, _, err = call(capsys, "run", *FAST, "--out", tmp_path / "r", f"--prometheus={port}")
    assert code == 2
    assert "[HOST:]PORT" in err
    assert not (tmp_path / "r").exists()


def test_a_port_that_is_taken_is_refused_before_training(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = call(
            capsys, "run", *FAST, "--out", tmp_path / "r", "--prometheus", f"127.0.0.1:{port}"
        )
    assert code == 2
    assert str(port) in err
    assert not (tmp_path / "r").exists()


def test_once_for_people_and_for_programs(watched, tmp_path, capsys):
    code, out, _ = call(capsys, "watch", watched / "run", "--once")
    assert code == 0
    assert "● ended" in out
    assert "round 6 of 6" in out
    code, out, _ = call(capsys, "watch", watched / "run", "--once", "--json")
    value = last_json(out)
    assert (code, value["status"], value["round"], value["left_seconds"]) == (0, "ended", 6, 0)
    code, out, _ = call(capsys, "watch", tmp_path / "later", "--once")
    assert code == 0
    assert "no such folder yet" in out


def grow(folder, source, wait=0.05):
    """Write a run's files as its process would."""
    time.sleep(wait)
    folder.mkdir()
    (folder / "config.toml").write_bytes((source / "config.toml").read_bytes())
    for line in (source / "metrics.jsonl").read_text().splitlines(keepends=True):
        time.sleep(wait)
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(line[:40])
            file.flush()
            file.write(line[40:])


def test_following_from_before_the_beginning_to_the_end(watched, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(watch, "LOOKS_A_SECOND", 100.0)
    writer = threading.Thread(target=grow, args=(tmp_path / "run", watched / "run"))
    writer.start()
    code, out, _ = call(capsys, "watch", tmp_path / "run", "--json")
    writer.join()
    seen = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert seen[0]["status"] == "waiting"
    assert [value["round"] for value in seen if value["round"]] == [1, 2, 3, 4, 5, 6]
    assert [value["status"] for value in seen].count("ended") == 1


def test_a_terminal_is_redrawn_in_place(watched):
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, _environ={"TERM": "xterm"})
    watch._live(console, Outside(watched / "run"))
    assert "round 6 of 6" in file.getvalue()
    assert file.getvalue().rstrip().endswith("\x1b[?25h")  # the cursor is back


def test_ctrl_c_is_the_way_to_leave(tmp_path):
    # A shell that starts tests in the background lets them, and what they start, ignore Ctrl-C.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from baffle.cli.main import main; main(['watch', 'later', '--json'])"
    )
    env = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert json.loads(process.stdout.readline())["status"] == "waiting"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "", "")
