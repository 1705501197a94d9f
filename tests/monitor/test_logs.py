"""Each line is one JSON object, whatever the figures are."""

import json
import sys
from pathlib import Path

import pytest

from baffle.errors import ConfigError
from baffle.monitor.logs import JsonLog
from tests.monitor.conftest import RUN, SUMMARY, abandoned, row


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_run_line_by_line(tmp_path, about):
    log = JsonLog(tmp_path / "log")
    log.event("calibration", step_size=0.1)
    log.begin(about)
    log.row(row(1))
    log.row(abandoned(2))
    log.event("monitor_failed", monitor="mlflow")
    log.end(SUMMARY)
    log.close()
    log.close()
    found = lines(tmp_path / "log")
    assert [(line["event"], line["level"], line["run"], line["round"]) for line in found] == [
        ("calibration", "info", None, None),
        ("begin", "info", RUN, 0),
        ("round", "info", RUN, 1),
        ("round", "warning", RUN, 2),
        ("monitor_failed", "warning", RUN, 2),
        ("end", "info", RUN, 2),
    ]
    assert found[2]["refused"] == {"late": 1}
    assert found[3]["loss"] is None
    assert all(line["time"].endswith("Z") for line in found)
    assert found[0].keys() == {"time", "level", "event", "run", "round", "step_size"}


def test_a_field_cannot_pass_for_the_lines_own(tmp_path):
    log = JsonLog(tmp_path / "log")
    log.event("joined", level="none", time="never", note='a\nb"')
    log.close()
    (found,) = lines(tmp_path / "log")
    assert (found["level"], found["note"]) == ("info", 'a\nb"')
    assert found["time"] != "never"


def test_a_resumed_run_is_appended_also_after_a_line_that_was_cut(tmp_path, about):
    file = tmp_path / "log"
    for number in (1, 2):
        log = JsonLog(file)
        log.begin(about | {"round": number - 1})
        log.row(row(number))
        log.close()
        with file.open("a") as cut:
            cut.write('{"time": "20')
    text = file.read_text().splitlines()
    assert [json.loads(text[i])["round"] for i in (0, 1, 3, 4)] == [0, 1, 1, 2]


def test_standard_error_stays_open(capsys):
    log = JsonLog(None)
    log.event("joined", client=3)
    log.close()
    sys.stderr.write("still here\n")
    found, rest = capsys.readouterr().err.splitlines()
    assert json.loads(found)["client"] == 3
    assert rest == "still here"


def test_a_full_disk_raises_instead_of_printing_a_trace(capsys):
    log = JsonLog(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left"):
        log.row(row(1))
    assert capsys.readouterr().err == ""
    with pytest.raises(OSError, match="No space left"):
        log.close()


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        JsonLog(tmp_path / "no such folder" / "log")
