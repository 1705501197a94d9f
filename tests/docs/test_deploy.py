"""The files of deploy/ and the page on them: they hang together, and name what the code has."""

from __future__ import annotations

import configparser
import fcntl
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from baffle.config import fleet_settings, resolve
from baffle.monitor.figures import EACH, FIGURES, TOTAL
from baffle.protocol.exchange import REASONS
from deploy import keep_going

ROOT = Path(__file__).parents[2]
DEPLOY, PAGE = ROOT / "deploy", (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
UNITS = [path for path in FILES if path.suffix == ".service"]
SERVER = [*(ROOT / "src/baffle/fleet").glob("*.py"), ROOT / "src/baffle/protocol/server.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_the_page_points_to_each_file(file):
    assert f"](../deploy/{file.name})" in PAGE


def test_what_the_page_points_to_is_there():
    targets = re.findall(r"\]\((\.\./[^)#]+)\)", PAGE)
    assert targets
    for target in targets:
        assert (ROOT / "docs" / target).exists(), target


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_kills_all_that_it_started_and_stays_in_its_folders(unit):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(re.sub(r"\\\n\s*", " ", unit.read_text(encoding="utf-8")))
    service = parser["Service"]
    assert service["ExecStart"].startswith("/opt/baffle/venv/bin/")
    assert service.get("KillMode", "control-group") == "control-group"
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "baffle"
    paths = re.findall(r"/(?:etc|var)/[\w./-]+", service["ExecStart"])
    assert all(p.startswith(("/etc/baffle/", "/var/lib/baffle/")) for p in paths)


def test_the_superlink_listens_on_loopback_and_only_its_fleet_calls_are_passed_on():
    unit = (DEPLOY / "superlink.service").read_text(encoding="utf-8")
    assert "--host 127.0.0.1 " in unit
    assert "--enable-supernode-auth" in unit
    lines = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    assert lines.count("proxy_pass ") == 1
    pattern = re.search(r"location ~ (\S+) \{", lines)[1].replace("?<", "?P<")
    assert re.search(pattern, "/v1/fleet/pull-messages")
    for other in ("/v1/control/start-run", "/v1/fleet/../control/start-run", "/v1/fleet/a/b"):
        assert not re.search(pattern, other)


@pytest.mark.parametrize("name", ["server", "node"])
def test_a_container_starts_what_the_unit_starts(name):
    text = re.sub(r"\\\n\s*", "", (DEPLOY / f"Containerfile.{name}").read_text(encoding="utf-8"))
    command = json.loads(re.search(r"^CMD (.*)$", text, re.MULTILINE)[1])
    unit = {"server": "superlink", "node": "supernode"}[name]
    asked = set(re.findall(r"--[a-z-]+", (DEPLOY / f"{unit}.service").read_text(encoding="utf-8")))
    assert set(re.findall(r"--[a-z-]+", " ".join(command))) == asked
    for source in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE):
        assert all((ROOT / path).exists() for path in source.split())


def test_the_runs_settings_are_settings_that_the_example_app_names():
    given = tomllib.loads((DEPLOY / "run.toml").read_text(encoding="utf-8"))
    app = tomllib.loads((ROOT / "examples/flower/pyproject.toml").read_text(encoding="utf-8"))
    assert keys(given) <= keys(app["tool"]["flwr"]["app"]["config"])
    under = json.loads(json.dumps(given).replace("-", "_"))
    fleet_settings({k: v for k, v in under.pop("fleet").items() if isinstance(v, (str, int))})
    assert resolve(under).federation.clients == 3


def keys(table: dict, before: str = "") -> set[str]:
    """Return a table's keys with dots."""
    inner = [
        keys(v, f"{before}{k}.") if isinstance(v, dict) else {before + k} for k, v in table.items()
    ]
    return set().union(*inner)


def test_the_pages_metrics_are_those_that_are_served():
    known = {"baffle_round", "baffle_rounds_planned"}
    for name, figure in FIGURES.items():
        known.add(f"baffle_{name}" + ("_total" if figure.kind in (EACH, TOTAL) else ""))
    named = set(re.findall(r"`(baffle_\w+)", PAGE))
    assert len(named) > 10
    assert named <= known


def test_the_page_explains_every_reason():
    table = PAGE.partition("| reason | what it is |")[2].partition("\n\n")[0]
    explained = set(
        re.findall(r"`(\w+)`", "\n".join(r.split("|")[1] for r in table.split("\n")[2:]))
    )
    sources = "".join(path.read_text(encoding="utf-8") for path in SERVER)
    refused = re.findall(r'Refused\(\s*"(\w+)"', sources)
    assert explained == {*REASONS, *refused, "transport", "missing", "accused"}


# --- keep_going


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """No waiting, and a `flwr` that does what a test writes into its folder."""
    monkeypatch.setattr(keep_going, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(keep_going, "START_SECONDS", 0.05)
    folder = tmp_path / "run"
    folder.mkdir()

    def install(does: str) -> Path:
        program = tmp_path / "bin" / "flwr"
        program.parent.mkdir()
        program.write_text(
            f"#!{sys.executable}\nimport json, pathlib, sys\n"
            f"run, log = pathlib.Path({str(folder)!r}), pathlib.Path({str(tmp_path / 'calls')!r})\n"
            "with log.open('a') as file: print(*sys.argv[1:], file=file)\n"
            "submitted = sum(line.startswith('run ') for line in log.open())\n" + does
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        return folder

    return install


SAYS = (
    "print(json.dumps({'success': True, 'run-id': '7', 'runs': [{'status': 'finished:failed'}]}))\n"
)
ONE_ROUND_EACH = """
if sys.argv[1] == 'run':
    with (run / 'metrics.jsonl').open('a') as rows: print('{}', file=rows)
    if submitted == 3: (run / 'fleet.json').write_text('{"stage": "done"}')
"""


def test_it_submits_until_the_run_folder_says_done(quick, tmp_path, capsys):
    folder = quick(ONE_ROUND_EACH + SAYS)
    assert keep_going.main(["app", "fleet", str(folder), "--config", "run.toml"]) == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    runs = [line for line in calls if line.startswith("run ")]
    assert runs == ["run app fleet --run-config run.toml --format json"] * 3
    assert capsys.readouterr().out.endswith("done, 3 rounds\n")


def test_a_run_that_is_done_is_not_submitted(quick, tmp_path):
    folder = quick(SAYS)
    (folder / "fleet.json").write_text('{"stage": "done"}')
    assert keep_going.main(["app", "fleet", str(folder)]) == 0
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("does", [SAYS, "sys.exit('no SuperLink')\n"], ids=["ends", "refused"])
def test_it_gives_up_after_submissions_without_a_round(quick, tmp_path, capsys, does):
    folder = quick(does)
    assert keep_going.main(["app", "fleet", str(folder)]) == 1
    runs = [line for line in (tmp_path / "calls").read_text().splitlines() if line[:4] == "run "]
    assert len(runs) == keep_going.TRIES
    assert "came to nothing" in capsys.readouterr().out


def test_a_folder_is_held_while_a_server_lives(tmp_path):
    assert not keep_going.held(tmp_path)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert keep_going.held(tmp_path)
    assert not keep_going.held(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_a_torn_status_says_nothing(tmp_path, text):
    (tmp_path / "fleet.json").write_text(text)
    assert keep_going.said(tmp_path) == {}
