"""`baffle gateway` and the commands beside it on the command line."""

import json
from pathlib import Path

import pytest

from baffle.cli.gateway import _task
from baffle.config import resolve
from baffle.data import load
from baffle.drivers.http.enrolment import Token
from baffle.ledger import Ledger
from baffle.ledger.database import DATABASE
from tests.cli.run_cli import call, last_json
from tests.drivers.fleet.loopback import CLIENTS, CONFIG
from tests.drivers.http.edge import Rig, refused
from tests.drivers.http.live import FLEET, devices_of, free_port

TINY = [
    "--set", "rounds=2", "--set", f"federation.clients={CLIENTS}",
    "--set", "federation.participation=1.0", "--set", "model.options={widths=[8]}",
    "--set", "probe.num_directions=16", "--set", "probe.pairs=4", "--set", "update.step_size=0.05",
    "--set", "engine.chunk=16", "--set", "engine.threads=1", "--set", "engine.clients=1",
]  # fmt: skip
WAITS = [part for name, value in FLEET.items() for part in ("--set", f"fleet.{name}={value}")]


def test_tokens_are_printed_and_known(tmp_path, capsys):
    code, out, _ = call(capsys, "gateway-token", "--run-dir", tmp_path / "run", "--count", 3)
    assert code == 0
    tokens = [Token.of(line) for line in out.split()]
    assert len({token.secret for token in tokens}) == 3
    folder = tmp_path / "run" / "gateway" / "tokens"
    assert {path.name for path in folder.iterdir()} == {token.public.hex() for token in tokens}
    assert {path.read_text() for path in folder.iterdir()} == {'{"until": null}'}
    again = call(capsys, "gateway-token", "--run-dir", tmp_path / "run", "--json")[1]
    assert Token.of(last_json(again)["tokens"][0]).gateway == tokens[0].gateway


def test_tokens_for_a_while(tmp_path, capsys):
    _, out, _ = call(capsys, "gateway-token", "--run-dir", tmp_path, "--valid-hours", 2, "--json")
    until = last_json(out)["until"]
    (path,) = (tmp_path / "gateway" / "tokens").iterdir()
    assert json.loads(path.read_text()) == {"until": until}


def test_devices_are_listed_and_turned_away(tmp_path, capsys):
    rig = Rig(tmp_path)
    devices = rig.device(1), rig.device(2)
    code, out, _ = call(capsys, "gateway-devices", "--run-dir", tmp_path)
    head, *lines = out.splitlines()
    assert (code, head.split()[:4]) == (0, ["number", "fingerprint", "node", "client"])
    assert [line.split()[:2] for line in lines] == [
        [str(n), device.public.hex()[:16]] for n, device in enumerate(devices, start=1)
    ]
    code, out, _ = call(capsys, "gateway-revoke", "--run-dir", tmp_path, "2")
    assert (code, "device 2" in out, "is turned away" in out) == (0, True, True)
    assert refused(rig.ask(devices[1])) == (403, "revoked")
    found = last_json(call(capsys, "gateway-devices", "--run-dir", tmp_path, "--json")[1])
    assert [one["revoked"] is None for one in found["devices"]] == [True, False]
    assert "revoked 20" in call(capsys, "gateway-devices", "--run-dir", tmp_path)[1]
    code, _, err = call(capsys, "gateway-revoke", "--run-dir", tmp_path, "3")
    assert code == 2
    assert "'3' is none of them" in " ".join(err.split())


def test_a_model_of_the_users_comes_with_the_named_data():
    pruned = str(Path("examples/device/pruned.py").resolve()) + ":half"
    task = _task(resolve({"model": {"name": "own"}}), pruned)
    assert float((task.model.linear1.weight == 0).float().mean()) == 0.5
    assert len(task.test) == len(load("digits").test_y)
    own = {"name": "own", "partition": "own", "partition_options": {}}
    assert _task(resolve({"model": {"name": "own"}, "data": own}), pruned).test is None


def test_a_model_that_is_not_there_is_named_before_anything_is_written(tmp_path, capsys):
    gone = "no_such_file.py:model"
    code, _, err = call(capsys, "gateway", "--run-dir", tmp_path / "run", "--model", gone, *TINY)
    assert code == 2
    assert "no_such_file.py" in err
    assert not (tmp_path / "run" / DATABASE).exists()


@pytest.mark.slow
def test_a_run_is_served_and_shown(tmp_path, capsys):
    run, port = tmp_path / "run", free_port()
    call_tokens = call(capsys, "gateway-token", "--run-dir", run, "--count", CLIENTS)[1]
    tokens = [Token.of(line) for line in call_tokens.split()]
    devices = devices_of(tmp_path, port, tokens)
    args = ["gateway", "--run-dir", run, "--port", port]
    code, out, err = call(capsys, *args, *TINY, *WAITS, "--json")
    for device in devices:
        device.join(10)
    assert code == 0
    value = last_json(out)
    assert (value["done"], value["rounds"]) == (True, 2)
    assert {device.digest for device in devices} == {value["digest"]}
    assert f"listening at http://127.0.0.1:{port}" in err
    assert err.count("reports 3 of 3") == 2
    assert (run / "model.safetensors").exists()
    with Ledger.open(run) as ledger:
        ledger.verify()
    code, out, _ = call(capsys, *args, "--json")  # the folder's own settings: it is done
    assert (code, last_json(out)["digest"]) == (0, value["digest"])


def test_a_configuration_file_with_a_fleet(tmp_path, capsys):
    from baffle.cli.gateway import _settings

    path = tmp_path / "c.toml"
    path.write_text("rounds = 7\n[fleet]\ndeadline = 9.0\n[probe]\nnum_directions = 32\n")
    settings, fleet = _settings(tmp_path / "run", path, ["fleet.poll=0.5", "rounds=8"])
    assert (settings.rounds, settings.probe.num_directions) == (8, 32)
    assert (fleet.deadline, fleet.poll) == (9.0, 0.5)
    assert CONFIG["rounds"] == 5


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--host", "0.0.0.0"], "plain HTTP on 0.0.0.0"),
        (["--cert", "x.pem"], "--cert and --key go together"),
        (["--set", "fleet.dedline=3"], "fleet.dedline is no setting"),
        (["--set", "fleet=3"], "fleet: expected a table"),
        (["--set", "probe.directionz=3"], "probe.directionz is no setting"),
        (["--config", "none.toml"], "found none"),
        (["--set", "algorithm=fedavg"], "fedavg is a baseline"),
    ],
)
def test_a_wrong_option_is_one_sentence(tmp_path, capsys, args, said):
    code, out, err = call(capsys, "gateway", "--run-dir", tmp_path / "run", *args)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "run").exists()
