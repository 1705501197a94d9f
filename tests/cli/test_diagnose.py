"""`baffle diagnose` for people and for programs."""

import pytest

from tests.cli.run_cli import call, last_json
from tests.drivers.small import finished


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "one"
    finished(folder, {"probe": {"radius": 4.0}})
    return folder


def test_for_people_and_for_programs(run, capsys):
    code, out, err = call(capsys, "diagnose", run, "--json")
    value = last_json(out)
    assert code == 0
    assert len(out.splitlines()) == 1
    assert value["first"] == "radius"
    assert value["command"] == f"baffle run {run}/config.toml --set probe.radius=auto"
    assert {f["severity"] for f in value["findings"]} <= {"wrong", "suspicious", "unknown", "ok"}
    assert "First: radius." in err


def test_what_is_no_run_ends_with_one_sentence(tmp_path, capsys):
    code, out, err = call(capsys, "diagnose", tmp_path / "nothing")
    assert (code, out) == (1, "")
    assert "not a run" in err
