"""Real sockets on loopback: clients train over HTTP and end with the server's digest."""

import http.client
import os
import signal
import socket
import ssl
import threading
import time

import pytest

from baffle.config import resolve
from baffle.drivers.fleet.hosting import Hooks
from baffle.drivers.http.listener import Tls
from baffle.drivers.http.serve import Place, Watching
from baffle.drivers.local.metrics import read_metrics
from baffle.drivers.local.session import start
from baffle.drivers.local.task import task_of
from baffle.errors import ConfigError
from baffle.ledger import Ledger
from tests.drivers.fleet.loopback import CLIENTS, CONFIG
from tests.drivers.fleet.test_secure import SIX
from tests.drivers.fleet.test_secure import local as secure_run
from tests.drivers.http.live import HOST, devices_of, free_port, roster_of, run_and_kill, serve
from tests.drivers.http.scripted import certificates


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The digests of the same run by the local driver."""
    settings = resolve(CONFIG)
    session = start(settings, task_of(settings), tmp_path_factory.mktemp("local") / "run")
    session.run()
    session.close()
    return [row["digest"] for row in session.log.rows]


def rows_of(run):
    with Ledger.open(run) as ledger:
        ledger.verify()
    return read_metrics(run)


def test_devices_over_https_make_the_local_run(tmp_path, local):
    run, devices, seen = tmp_path / "run", [], {}
    ca, certificate, key = certificates(tmp_path)
    trusting = ssl.create_default_context(cafile=ca)
    tokens = [roster_of(run).issue(None) for _ in range(CLIENTS)]

    def listening(port):
        devices.extend(devices_of(tmp_path, port, tokens, "https", ca=ca))
        seen["port"] = port

    def look(row):
        connection = http.client.HTTPSConnection(HOST, seen["port"], timeout=5, context=trusting)
        for path in ("/", "/status.json", "/healthz"):
            connection.request("GET", path)
            seen[path] = connection.getresponse().read()
        connection.close()

    watching = Watching(Hooks(on_row=look), listening)
    served = serve(run, watching=watching, tls=Tls(certificate, key))
    for device in devices:
        device.join(10)
    assert served.done
    assert [row["digest"] for row in rows_of(run)] == local
    assert [row["reports"] for row in rows_of(run)] == [CLIENTS] * len(local)
    assert {device.digest for device in devices} == {local[-1]}
    assert [device.ended for device in devices] == ["done"] * CLIENTS
    assert all(all(device.wanted) for device in devices)
    assert rows_of(run)[-1]["faults"] == {}
    assert b" of 5" in seen["/"]
    assert b'"enrolled": 3' in seen["/status.json"]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((HOST, seen["port"]), timeout=2)


MOMENTS = [
    [("enrolled", 2), ("answered", 3 + 2), ("stored", 2)],
    [("asked", 2), ("fetched", 7), ("answered", 4), ("stored", 1), ("asked", 3)],
]


@pytest.mark.slow
@pytest.mark.parametrize("moments", MOMENTS, ids=lambda m: ", ".join(f"{a} {n}" for a, n in m))
def test_a_gateway_that_is_killed_goes_on_and_nothing_is_lost_or_doubled(tmp_path, local, moments):
    run, port = tmp_path / "run", free_port()
    tokens = [roster_of(run).issue(None) for _ in range(CLIENTS)]
    devices = devices_of(tmp_path, port, tokens)
    codes = run_and_kill(run, port, moments)
    for device in devices:
        device.join(10)
    assert codes == [-signal.SIGKILL] * len(moments) + [0]
    assert [row["digest"] for row in rows_of(run)] == local
    assert [row["reports"] for row in rows_of(run)] == [CLIENTS] * len(local)
    assert {device.digest for device in devices} == {local[-1]}
    assert len((run / "gateway" / "devices.jsonl").read_text().splitlines()) == CLIENTS


@pytest.mark.slow
def test_a_gateway_that_is_told_to_stop_ends_cleanly_and_goes_on(tmp_path, local):
    run, port = tmp_path / "run", free_port()
    tokens = [roster_of(run).issue(None) for _ in range(CLIENTS)]
    devices = devices_of(tmp_path, port, tokens)

    def stop(row):
        if row["round"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    assert not serve(run, port, watching=Watching(Hooks(on_row=stop))).done
    assert signal.getsignal(signal.SIGTERM) is before
    assert serve(run, port).done
    for device in devices:
        device.join(10)
    assert [row["digest"] for row in rows_of(run)] == local
    assert {device.digest for device in devices} == {local[-1]}


@pytest.mark.slow
def test_secure_sums_over_http_make_the_local_run(tmp_path):
    config = SIX | {"rounds": 2}
    rows = secure_run(tmp_path, config)
    run = tmp_path / "run"
    tokens = [roster_of(run).issue(None) for _ in range(6)]
    devices = []
    watching = Watching(
        listening=lambda port: devices.extend(devices_of(tmp_path, port, tokens, numbers=range(6)))
    )
    assert serve(run, config=config, watching=watching).done
    for device in devices:
        device.join(10)
    assert [row["digest"] for row in rows_of(run)] == [row["digest"] for row in rows]
    assert rows_of(run)[-1]["faults"] == {}


# --- what a socket can do that an application does not see


@pytest.fixture(scope="module")
def open_gateway(tmp_path_factory):
    """The port of a gateway whose run nobody takes part in."""
    from baffle.drivers.http.listener import Listener, bound
    from tests.drivers.http.edge import Rig

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baffle.drivers.http.listener.HEAD_SECONDS", 0.4)
        rig, lost = Rig(tmp_path_factory.mktemp("open")), []
        listener = Listener(rig.app, bound(HOST, 0), None, 20, lost.append)
        listener.start()
        yield listener.port
        listener.stop()
    assert lost == []


def spoken(port, *pieces, pause=0.0, seconds=3.0):
    """Return what comes back for some bytes until the other end hangs up; None if it does not."""
    with socket.create_connection((HOST, port), timeout=seconds) as line:
        found = b""
        try:
            for piece in pieces:
                line.sendall(piece)
                time.sleep(pause)
            while more := line.recv(65536):
                found += more
        except (ConnectionResetError, BrokenPipeError):
            return found
        except TimeoutError:
            return None
        return found


POST = b"POST /v1/ask HTTP/1.1\r\nHost: x\r\n"


def test_a_body_in_chunks_without_end_is_refused_at_once(open_gateway):
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    found = spoken(open_gateway, head, b"5\r\nhello\r\n")
    assert b" 411 " in found
    assert b'"length"' in found


def test_a_length_and_chunks_together_are_refused(open_gateway):
    head = POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    found = spoken(open_gateway, head, b"0\r\n\r\n")
    assert b" 411 " in found or b" 400 " in found


def test_an_oversized_body_is_refused_before_it_comes(open_gateway):
    found = spoken(open_gateway, POST + b"Content-Length: 999999999999\r\n\r\n")
    assert b" 413 " in found
    assert b'"size"' in found


def test_a_slow_body_is_given_up(open_gateway):
    began = time.monotonic()
    found = spoken(open_gateway, POST + b"Authorization: x\r\nContent-Length: 4\r\n\r\n", b"1")
    assert b" 400 " in found or b" 408 " in found
    assert time.monotonic() - began < 2.5


def test_a_slow_head_and_a_silent_connection_are_given_up(open_gateway):
    began = time.monotonic()
    assert spoken(open_gateway) == b""
    assert spoken(open_gateway, b"POST ", b"/v1", b"/ask", pause=0.3) == b""
    again = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    assert spoken(open_gateway, again, b"GET /h", pause=0.1).count(b"200 OK") == 1
    assert time.monotonic() - began < 4


def test_a_head_without_end_is_given_up(open_gateway):
    found = spoken(open_gateway, POST + b"X: ", *[b"x" * 30_000] * 5)
    assert found is not None
    assert b" 2" not in found[:13]


def test_path_tricks_are_refused_as_they_stand(open_gateway):
    for path in (b"/v1/%61sk", b"/../etc/passwd", b"//v1/ask", b"/v1/ask?x"):
        head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % path
        found = spoken(open_gateway, head)
        assert found is not None, path
        assert b" 404 " in found or b" 400 " in found, path


def test_a_gateway_that_is_asked_for_more_than_it_has_stays_up(open_gateway):
    lines = [socket.create_connection((HOST, open_gateway), timeout=3) for _ in range(25)]
    time.sleep(0.1)
    for line in lines:
        line.close()
    time.sleep(0.1)
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b"200 OK" in spoken(open_gateway, head)


# --- where it listens


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway.example.org"])
def test_plain_http_stays_on_its_machine_unless_it_is_meant(host):
    with pytest.raises(ConfigError, match="reads every report"):
        Place(host).require_safe()
    Place(host, insecure=True).require_safe()
    Place(host, tls=Tls("a", "b")).require_safe()
    for near in (HOST, "localhost", "::1"):
        Place(near).require_safe()


def test_an_address_that_is_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: cannot listen there"):
            serve(tmp_path / "run", port)


def test_a_certificate_that_is_none_is_named(tmp_path):
    (tmp_path / "x.pem").write_text("what")
    tls = Tls(tmp_path / "x.pem", tmp_path / "x.pem")
    with pytest.raises(ConfigError, match="no certificate with its key"):
        serve(tmp_path / "run", tls=tls)
    assert threading.active_count() < 20
