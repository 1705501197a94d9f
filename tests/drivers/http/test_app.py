"""The routes, without a socket: what each gives, and what each refuses, by name."""

import threading
import time

import pytest

from baffle.drivers.http import wire
from baffle.drivers.http.enrolment import Token, encode_enrolment
from baffle.drivers.http.limits import Rate
from tests.drivers.http.asgi import Client
from tests.drivers.http.devices import Signer
from tests.drivers.http.edge import Rig, fetched, refused


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


# --- the way of an ask


def test_an_ask_goes_down_and_its_answer_comes_up_once(rig):
    device = rig.device(1)
    assert rig.ask(device).status_code == 204
    rig.put(device, b"ask", b"chunk")
    number, parts = fetched(rig.ask(device))
    assert parts == [b"ask", b"chunk"]
    assert fetched(rig.ask(device)) == (number, parts)  # a response that was lost
    assert rig.answer(device, number, b"answer").json() == {"answer": "taken"}
    assert rig.answer(device, number, b"answer").json() == {"answer": "taken before"}
    assert rig.came() == [(device.node, b"answer")]
    assert rig.came() == []
    assert rig.transport.figures["bytes_up"] == rig.transport.figures["bytes_down"] == 0


def test_a_device_that_waits_is_woken_by_its_ask(rig):
    device, other = rig.device(1), rig.device(2)
    later = threading.Timer(0.2, lambda: (rig.put(other, b"other"), rig.put(device, b"ask")))
    later.start()
    began = time.monotonic()
    assert fetched(rig.ask(device, wait=60_000))[1] == [b"ask"]
    assert 0.1 < time.monotonic() - began < 1.5
    later.join()


def test_a_device_waits_no_longer_than_the_gateway_lets_it(rig):
    device = rig.device(1)
    assert rig.ask(device, wait=60).status_code == 204
    assert rig.transport.gateway.devices.of(device.node).waiting == 0
    assert len(rig.edge.waiters) == 0


def test_who_waits_is_there_and_who_was_never_heard_is_not(rig):
    device, _ = rig.device(1), rig.device(2)
    assert rig.transport.nodes() == frozenset()
    rig.ask(device)
    assert rig.transport.nodes() == {device.node}


def test_a_large_ask_comes_whole(rig):
    device, chunks = rig.device(1), [bytes([n]) * 300_000 for n in range(5)]
    rig.put(device, b"ask", *chunks, b"")
    assert fetched(rig.ask(device))[1] == [b"ask", *chunks, b""]


def test_a_newer_question_of_a_device_ends_the_older(rig):
    device = rig.device(1)
    codes = []
    older = threading.Thread(target=lambda: codes.append(rig.ask(device, wait=60_000).status_code))
    older.start()
    while not len(rig.edge.waiters):
        time.sleep(0.01)
    began = time.monotonic()
    assert rig.ask(device, wait=100).status_code == 204
    older.join()
    assert codes == [204]
    assert time.monotonic() - began < 1.5


def test_the_end_of_the_run_is_told(rig):
    device = rig.device(1)
    rig.ask(device)
    rig.transport.finish()
    assert rig.transport.untold() == 1
    assert refused(rig.ask(device, wait=1000)) == (410, "done")
    assert rig.transport.untold() == 0


def test_a_gateway_that_stops_sends_devices_away_for_now(rig):
    device = rig.device(1)
    rig.transport.stop()
    assert refused(rig.ask(device)) == (503, "stopping")


# --- refused by name


def test_a_device_that_nobody_enrolled(rig):
    assert refused(rig.ask(Signer(7, rig.name))) == (401, "device")


def test_a_request_that_came_before(rig):
    device = rig.device(1)
    rig.put(device, b"ask")
    number, _ = fetched(rig.ask(device))
    assert rig.answer(device, number, b"answer").status_code == 200
    replayed = rig.answer(device, number, b"answer", counter=device.counter)
    assert refused(replayed) == (409, "counter")
    assert replayed.json()["counter"] == device.counter
    assert len(rig.came()) == 1


def test_a_request_from_before_a_restart(rig, tmp_path):
    device = rig.device(1)
    before = rig.transport.gateway.epoch
    assert rig.ask(device).status_code == 204
    again = Rig(tmp_path)
    response = again.ask(device, counter=device.counter, epoch=before)
    assert refused(response) == (401, "epoch")
    assert bytes.fromhex(response.json()["epoch"]) == again.transport.gateway.epoch != before
    assert again.ask(device).status_code == 204


def test_a_forged_signature(rig):
    device = rig.device(1)
    assert refused(rig.ask(device, key=Signer(9).key)) == (401, "signature")


def test_a_request_for_another_gateway(rig, tmp_path):
    other, device = Rig(tmp_path / "other"), rig.device(1)
    there = other.device(1)
    there.gateway, there.node = device.gateway, other.device(1).node
    assert refused(other.ask(there)) == (401, "signature")


def test_a_body_that_was_changed_on_the_way(rig):
    device = rig.device(1)
    body = wire.encode_answer(1, b"answer")
    stamp, _ = device.signed("/v1/answer", body, epoch=rig.transport.gateway.epoch)
    response = rig.client.post(
        "/v1/answer", content=body[:-1] + b"R", headers={"authorization": stamp.header()}
    )
    assert refused(response) == (401, "signature")


def test_a_signature_for_another_path(rig):
    device, body = rig.device(1), wire.encode_wait(0)
    stamp, _ = device.signed("/v1/answer", body, epoch=rig.transport.gateway.epoch)
    response = rig.client.post("/v1/ask", content=body, headers={"authorization": stamp.header()})
    assert refused(response) == (401, "signature")


def test_another_devices_answer(rig):
    device, other = rig.device(1), rig.device(2)
    rig.put(device, b"ask")
    number, _ = fetched(rig.ask(device))
    assert refused(rig.answer(other, number, b"mine")) == (409, "gone")
    assert rig.came() == []
    assert rig.answer(device, number, b"mine").json() == {"answer": "taken"}


def test_a_used_token(rig):
    token = rig.roster.issue(None)
    first = Signer(1, rig.name)
    assert rig.enrol(first, token).status_code == 200
    assert rig.enrol(first, token).status_code == 200  # a response that was lost
    assert refused(rig.enrol(Signer(2, rig.name), token)) == (403, "token")
    assert len((rig.roster.folder / "devices.jsonl").read_text().splitlines()) == 1


def test_a_token_that_is_over_or_unknown(rig):
    over = rig.roster.issue(until=time.time() - 1)
    assert refused(rig.enrol(Signer(1, rig.name), over)) == (403, "token")
    assert refused(rig.enrol(Signer(1, rig.name), Token(rig.name, bytes(16)))) == (403, "token")


def test_an_enrolment_signed_for_another_gateway(rig):
    token = rig.roster.issue(None)
    body = encode_enrolment(Token(bytes(16), token.secret), Signer(1).key)
    assert refused(rig.client.post("/v1/enrol", content=body)) == (403, "token")


def test_a_disk_that_is_full_lets_nobody_in_and_nothing_is_lost(rig, monkeypatch):
    token, device = rig.roster.issue(None), Signer(1, rig.name)
    with monkeypatch.context() as patch:

        def full(enrolment, today):
            raise OSError(28, "No space left on device")

        patch.setattr(rig.roster, "append", full)
        assert refused(rig.enrol(device, token)) == (503, "full")
    assert rig.enrol(device, token).status_code == 200
    assert rig.ask(device).status_code == 204


def test_a_body_that_is_too_large(rig):
    device = rig.device(1)
    assert refused(rig.answer(device, 1, b"x" * 1001)) == (413, "size")
    assert refused(rig.answer(device, 1, b"x" * 1000)) == (409, "gone")
    assert refused(rig.post(device, "/v1/ask", b"x" * 5)) == (413, "size")
    assert refused(rig.client.post("/v1/enrol", content=b"x" * 10_000)) == (413, "size")


def test_a_body_whose_length_is_not_said(rig):
    device = rig.device(1)

    def chunks():
        yield b"1234"

    stamp, _ = device.signed("/v1/ask", b"1234", epoch=rig.transport.gateway.epoch)
    headers = {"authorization": stamp.header()}
    response = rig.client.post("/v1/ask", content=chunks(), headers=headers)
    assert refused(response) == (411, "length")
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize("said", ["-1", "+4", "4, 4", "0x4", "4e0", "", "²"])
def test_a_length_that_is_no_number(rig, said):
    headers = {"content-length": said.encode()}
    response = rig.client.post("/v1/ask", content=b"1234", headers=headers)
    assert refused(response) == (411, "length")


def test_no_more_bodies_than_there_is_room_for(tmp_path):
    rig = Rig(tmp_path, up=300)
    device = rig.device(1)
    for _ in range(3):
        rig.put(device, b"ask")
        number, _ = fetched(rig.ask(device))
        last = rig.answer(device, number, b"x" * 200)
    assert refused(last) == (503, "full")
    assert len(rig.came()) == 1
    assert rig.answer(device, number, b"x" * 200).json() == {"answer": "taken"}


@pytest.mark.parametrize(
    "header", [None, "", "Bearer x", "Baffle 00", "Baffle " + "A" * 194, "baffle " + "0" * 194]
)
def test_a_request_without_a_stamp(rig, header):
    headers = {} if header is None else {"authorization": header}
    response = rig.client.post("/v1/ask", content=bytes(4), headers=headers)
    assert refused(response) == (400, "decode")


def test_a_request_with_two_stamps(rig):
    device = rig.device(1)
    made = [device.signed("/v1/ask", bytes(4), epoch=rig.transport.gateway.epoch) for _ in "12"]
    headers = [("authorization", stamp.header()) for stamp, _ in made]
    assert refused(rig.client.post("/v1/ask", content=bytes(4), headers=headers)) == (400, "decode")


def test_bodies_that_are_no_encoding(rig):
    device = rig.device(1)
    assert refused(rig.post(device, "/v1/answer", b"what")) == (400, "decode")
    assert refused(rig.post(device, "/v1/ask", b"123")) == (400, "decode")
    assert refused(rig.post(device, "/v1/ask", b"\xff" * 4)) == (400, "decode")
    assert refused(rig.client.post("/v1/enrol", content=b"x")) == (400, "decode")


def test_too_many_requests_of_a_device(tmp_path):
    rig = Rig(tmp_path, device=Rate(0.01, 2.0))
    device = rig.device(1)
    codes = [rig.ask(device).status_code for _ in range(3)]
    assert codes == [204, 204, 429]
    assert refused(rig.ask(device)) == (429, "busy")
    assert rig.ask(device).json()["seconds"] > 10


def test_too_many_requests_of_strangers(tmp_path):
    rig = Rig(tmp_path, stranger=Rate(0.01, 2.0))
    device = rig.device(1)
    stranger = Signer(5, rig.name)
    assert [refused(rig.ask(stranger))[1] for _ in range(3)] == ["device", "device", "busy"]
    assert refused(rig.enrol(stranger, rig.roster.issue(None))) == (429, "busy")
    assert refused(rig.ask(device)) == (429, "busy")  # of the same address


def test_a_whole_fleet_is_let_in_at_once_from_one_address(tmp_path):
    rig = Rig(tmp_path, stranger=Rate(0.01, 2.0))
    tokens = [rig.roster.issue(None) for _ in range(10)]
    signers = [Signer(n, rig.name) for n in range(1, 11)]
    codes = [rig.enrol(s, t).status_code for s, t in zip(signers, tokens, strict=True)]
    assert codes == [200] * 10
    again = [rig.enrol(signers[0], tokens[0]).status_code for _ in range(3)]
    assert again == [200, 200, 429]  # what does nothing is a stranger's


@pytest.mark.parametrize(
    "path",
    [
        "/v1/ask/", "//v1/ask", "/v1//ask", "/v1/%61sk", "/v1/ask?x=1", "/v1/ASK", "/v1/ask%00",
        "/v1/ask/../answer", "/v1", "/../../etc/passwd", "/%2e%2e/etc/passwd", "/static/x",
        "/v2/ask", "/docs", "/openapi.json", "/v1/ask;x", "/status.json/", "/index.html",
    ],
)  # fmt: skip
def test_a_path_that_is_none_of_the_routes(rig, path):
    for method in ("GET", "POST"):
        response = rig.client.request(method, path)
        assert refused(response) == (404, "path"), (method, path)


def test_another_method(rig):
    for path in ("/v1/enrol", "/v1/ask", "/v1/answer"):
        assert refused(rig.client.get(path)) == (405, "method")
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
        assert refused(rig.client.request(method, "/status.json")) == (405, "method")


def test_a_fault_of_our_own_shows_nothing(rig, monkeypatch, caplog):
    device = rig.device(1)

    def broken(node):
        raise ZeroDivisionError("the secret reason")

    monkeypatch.setattr(rig.transport, "fetch", broken)
    response = rig.ask(device)
    assert refused(response) == (500, "failed")
    assert "secret" not in response.text


def test_a_body_that_comes_too_slowly(rig):
    device = rig.device(1)
    rig.client = Client(rig.app, slow=5.0)
    began = time.monotonic()
    response = rig.ask(device)
    assert refused(response) == (408, "slow")
    assert response.headers["connection"] == "close"
    assert time.monotonic() - began < 2.0
    assert rig.transport.figures["bytes_up"] == 0


def test_a_body_of_another_length_than_was_said(rig):
    device = rig.device(1)
    for said in ("3", "1"):
        response = rig.ask(device, headers={"content-length": said})
        assert refused(response) == (411, "length")


def test_who_hangs_up_is_given_nothing_and_waits_no_more(rig):
    device = rig.device(1)
    rig.client = Client(rig.app, leaves=0.1)
    began = time.monotonic()
    assert rig.ask(device, wait=60_000).status_code == 204
    assert time.monotonic() - began < 1.5
    assert rig.transport.figures["waiting"] == 0
    rig.put(device, b"ask")
    assert rig.transport.figures["asks_fetched"] == 0


def test_nothing_is_logged_of_an_answer(rig, caplog):
    caplog.set_level(0)
    device = rig.device(1)
    rig.put(device, b"ask")
    number, _ = fetched(rig.ask(device))
    rig.answer(device, number, b"a secret answer")
    rig.came()
    assert "secret" not in caplog.text
