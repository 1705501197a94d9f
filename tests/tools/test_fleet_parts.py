"""The harness's parts: certificates that a client takes, processes that are found and stopped."""

import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
import tomllib

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from tools.fleet import flower, processes
from tools.fleet.certificates import make_certificates, make_node_key
from tools.fleet.deployment import stop_folder


def handshake(server, client, name):
    """Return what a TLS client says of a server that it reaches as `name`."""
    left, right = socket.socketpair()

    def serve():
        try:
            server.wrap_socket(left, server_side=True).close()
        except OSError:
            left.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(right, server_hostname=name).close()
    except ssl.SSLError as error:
        right.close()
        return error.reason
    finally:
        thread.join()
    return "trusted"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("127.0.0.1", "trusted"),
        ("localhost", "trusted"),
        ("127.0.0.2", "CERTIFICATE_VERIFY_FAILED"),
        ("example.org", "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_the_certificate_is_for_loopback_only(tmp_path, name, said):
    made = make_certificates(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.certificate, made.key)
    assert handshake(server, ssl.create_default_context(cafile=made.authority), name) == said


def test_another_authority_does_not_do(tmp_path):
    made, other = make_certificates(tmp_path / "a"), make_certificates(tmp_path / "b")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.certificate, made.key)
    client = ssl.create_default_context(cafile=other.authority)
    assert handshake(server, client, "localhost") == "CERTIFICATE_VERIFY_FAILED"


def test_node_keys(tmp_path):
    public = make_node_key(tmp_path / "node-0")
    private = load_ssh_private_key((tmp_path / "node-0").read_bytes(), None)
    assert load_ssh_public_key(public.read_bytes()) == private.public_key()
    assert private.curve.name == "secp384r1"


def test_secrets_are_for_their_owner(tmp_path):
    secret = [make_certificates(tmp_path).key, make_node_key(tmp_path / "n").with_suffix("")]
    assert [stat.S_IMODE(path.stat().st_mode) for path in secret] == [0o600, 0o600]


@pytest.fixture
def mark():
    made = processes.new_mark()
    yield made
    processes.kill(made)
    while CHILDREN:
        CHILDREN.pop().wait(10)


CHILDREN: list[subprocess.Popen] = []
SLEEP = "import time; time.sleep(60)"
DEAF = f"import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}"
PARENT = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', "
    f"{SLEEP!r}], start_new_session=True); print('up', flush=True); {SLEEP}"
)


def begin(mark, role, code, path):
    """Start `code`; return when it has written its first line."""
    with path.open("wb") as log:
        child = processes.start(
            [sys.executable, "-c", code], mark=mark, role=role, environment=os.environ, log=log
        )
    CHILDREN.append(child)
    until = time.monotonic() + 10
    while not path.read_bytes() and "print" in code and time.monotonic() < until:
        time.sleep(0.01)
    return child


def test_grandchildren_in_other_sessions_are_found(mark, tmp_path):
    begin(mark, "node-0", PARENT, tmp_path / "log")
    assert len(processes.find(mark, "node-0")) == 2
    assert processes.find(mark, "node-1") == []
    assert processes.kill(mark, "node-0") == 2
    assert processes.find(mark) == []


def test_an_orphan_is_found_when_its_parent_is_dead(mark, tmp_path):
    parent = begin(mark, "node-0", PARENT, tmp_path / "log")
    parent.kill()
    parent.wait()
    [orphan] = processes.find(mark)
    assert orphan.pid != parent.pid


def test_others_are_spared(mark, tmp_path):
    other = processes.new_mark()
    begin(mark, "a", SLEEP, tmp_path / "one")
    begin(other, "a", SLEEP, tmp_path / "two")
    try:
        processes.kill(mark)
        assert len(processes.find(other)) == 1
    finally:
        processes.kill(other)


def test_what_does_not_hear_is_killed(mark, tmp_path):
    child = begin(mark, "a", DEAF, tmp_path / "log")
    assert processes.stop(mark, grace=0.2) == 1
    assert child.wait(5) == -signal.SIGKILL


def test_a_used_again_id_is_not_signalled(mark, tmp_path):
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP])
    try:
        processes.send(processes.Found(stranger.pid, "a", ""), mark, signal.SIGKILL)
        time.sleep(0.05)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_stop_finishes_what_a_killed_harness_left(mark, tmp_path):
    begin(mark, "node-0", SLEEP, tmp_path / "log")
    (tmp_path / "mark").write_text(mark)
    assert stop_folder(tmp_path) == 1
    assert processes.find(mark) == []
    assert stop_folder(tmp_path / "nothing here") == 0


def test_ports_are_free_and_differ():
    ports = flower.free_ports(20)
    assert len(set(ports)) == 20
    with socket.socket() as one:
        one.bind(("127.0.0.1", ports[0]))


def test_the_users_own_settings_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("FLWR_HOME", "/home/user/.flwr")
    monkeypatch.setenv("FLWR_TELEMETRY_ENABLED", "1")
    env = flower.environment(tmp_path, {"MORE": "1"})
    assert env["FLWR_HOME"] == str(tmp_path)
    assert (env["FLWR_TELEMETRY_ENABLED"], env["MORE"]) == ("0", "1")


def test_the_connection_is_written(tmp_path):
    flower.configure(tmp_path, "127.0.0.1:5", tmp_path / 'a "ca".pem')
    read = tomllib.loads((tmp_path / "config.toml").read_text())["superlink"]
    assert read["default"] == "fleet"
    assert read["fleet"]["root-certificates"] == str(tmp_path / 'a "ca".pem')
    assert read["fleet"]["address"] == "127.0.0.1:5"


def test_run_config_is_read_back_by_toml():
    values = {"rounds": 3, "rate": 0.5, "on": True, "name": 'a "b" \\ c'}
    text = flower.toml_pairs(values)
    assert (
        tomllib.loads(
            text.replace(" rate", "\nrate").replace(" on=", "\non=").replace(" name", "\nname")
        )
        == values
    )
