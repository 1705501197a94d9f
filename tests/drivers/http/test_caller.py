"""A device's side: what it keeps, when it tries again, and what it takes of a hostile gateway."""

import time
from contextlib import contextmanager
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baffle.drivers.http import wire
from baffle.drivers.http.caller import Caller
from baffle.drivers.http.enrolment import encode_enrolled
from baffle.drivers.http.keys import BLOCK, FAR, Home, Keys
from baffle.drivers.http.line import Address
from baffle.drivers.http.listener import Listener, Tls, bound
from baffle.drivers.http.signed import Stamp
from baffle.drivers.http.trying import Manners
from baffle.drivers.spool import Spool
from baffle.errors import ConfigError, DecodeError, LinkLost, Refused
from tests.drivers.http.devices import Signer
from tests.drivers.http.edge import SERVER, Rig
from tests.drivers.http.scripted import Scripted, certificates, no, said

EMPTY = said(204).replace(b"Content-Length: 0\r\n", b"")
ASKED = said(200, wire.encode_parts(wire.encode_ask(5, [b"ask", b"chunk"])))
HOME = Home(bytes(16), bytes(32))


class Pauses:
    """Sleeps by the clock that it is."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def caller_at(url, folder, enrolled=True, **named):
    if enrolled:
        Keys(folder).enrolled(HOME)
    manners = named.pop("manners", Manners(patience=5.0, first=0.01, most=0.02, response=2.0))
    return Caller(url, folder, manners=manners, **named)


@contextmanager
def asking(tmp_path, *answers, drip=0.0, **named):
    with Scripted(*answers, drip=drip) as gateway, caller_at(gateway.url, tmp_path, **named) as own:
        yield own, gateway


def stamps(gateway):
    rows = [r for head, _ in gateway.came for r in head.split(b"\r\n") if b"Authorization" in r]
    return [Stamp.of(row.split(b": ")[1].decode()) for row in rows]


def reason(call, *args):
    with pytest.raises(Refused) as found:
        call(*args)
    return found.value.reason


# --- what it keeps


def test_its_key_is_made_once_and_is_for_its_owner_alone(tmp_path):
    first, second = Keys(tmp_path / "edge"), Keys(tmp_path / "edge")
    assert first.public == second.public
    assert (tmp_path / "edge" / "device.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "edge").stat().st_mode & 0o777 == 0o700
    assert Keys(tmp_path / "other").public != first.public


def test_a_damaged_key_or_home_is_named(tmp_path):
    (tmp_path / "device.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="expected 32 bytes, got 5"):
        Keys(tmp_path)
    (tmp_path / "device.key").unlink()
    (tmp_path / "gateway.json").write_text('{"gateway": "00"}')
    with pytest.raises(ConfigError, match="enrol again"):
        Keys(tmp_path)


def test_counters_increase_over_crashes(tmp_path):
    seen = []
    for _ in range(4):  # each process ends without a word
        keys = Keys(tmp_path)
        seen += [keys.counter() for _ in range(BLOCK // 2 + 1)]
    assert seen == sorted(set(seen))
    assert seen[0] > 0


@given(st.lists(st.one_of(st.none(), st.integers(1, 3 * BLOCK), st.binary(max_size=3)), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_counters_increase_whatever_becomes_of_the_file(tmp_path_factory, steps):
    """None is a crash, a number so many requests, bytes a file that was spoilt or set back."""
    folder, seen = tmp_path_factory.mktemp("keys"), 0
    keys = Keys(folder)
    for step in steps:
        if isinstance(step, int):
            for _ in range(min(step, 50)):
                number = keys.counter()
                if number <= seen:  # the gateway refuses it, and says how far it has seen
                    keys.beyond(seen)
                    number = keys.counter()
                assert number > seen
                seen = number
        else:
            if step is not None:
                (folder / "counter").write_bytes(step)
            keys = Keys(folder)


def test_a_gateway_that_lies_about_the_counter_does_not_use_it_up(tmp_path):
    keys = Keys(tmp_path)
    keys.counter()
    assert reason(keys.beyond, 2**64 - 1) == "counter"
    assert reason(keys.beyond, keys.counter() + FAR + 2) == "counter"
    keys.beyond(1000)
    assert 1000 < keys.counter() < 3000


# --- the way of an ask


def test_an_ask_is_fetched_and_answered(tmp_path):
    with asking(tmp_path, EMPTY, ASKED, said(200, b"{}")) as (own, gateway):
        assert own.ask(0.0) is None
        assert own.ask(0.5) == [b"ask", b"chunk"]
        assert own.answer(b"answer") is True
    assert gateway.came[1][1] == wire.encode_wait(500)
    assert gateway.came[2][1] == wire.encode_answer(5, b"answer")
    counters = [stamp.counter for stamp in stamps(gateway)]
    assert counters == sorted(set(counters))


def test_an_ask_may_be_kept_on_disk(tmp_path):
    keep = partial(Spool.of, folder=tmp_path)
    with asking(tmp_path, ASKED, ASKED[:-1], ASKED, keep=keep) as (own, _):
        for _ in range(2):  # the second ask breaks off and comes again
            parts = own.ask()
            assert isinstance(parts, Spool)
            assert list(parts) == [b"ask", b"chunk"]


def test_an_answer_that_is_no_longer_wanted_is_no_error(tmp_path):
    with asking(tmp_path, ASKED, no("gone")) as (own, _):
        own.ask()
        assert own.answer(b"answer") is False
        assert reason(own.answer, b"again") == "gone"  # nothing is asked


def test_before_it_is_let_in_a_device_asks_nothing(tmp_path):
    with asking(tmp_path, enrolled=False) as (own, gateway):
        assert not own.enrolled
        assert reason(own.ask) == "device"
        assert reason(lambda: own.node) == "device"
        with pytest.raises(DecodeError, match="gateway-token"):
            own.enrol("no token")
    assert gateway.came == []


# --- again, or not


@pytest.mark.parametrize(
    "passing",
    [no("busy", seconds=0.01), no("full"), no("stopping"), no("slow"), no("failed"), None,
     said(502, b"<html>"), said(504), b"what\r\n\r\n", said(200, b"BGP1 what")],
)  # fmt: skip
def test_what_passes_is_tried_again(tmp_path, passing):
    with asking(tmp_path, passing, ASKED) as (own, gateway):
        assert own.ask() == [b"ask", b"chunk"]
    counters = [stamp.counter for stamp in stamps(gateway)]
    assert len(set(counters)) == 2


@pytest.mark.parametrize("name", ["device", "signature", "token", "done", "size", "decode", "path"])
def test_what_does_not_pass_is_raised_by_name_at_once(tmp_path, name):
    with asking(tmp_path, no(name)) as (own, _):
        assert reason(own.ask) == name


def test_what_is_no_gateways_counts_by_its_status(tmp_path):
    with asking(tmp_path, said(404, b"nginx"), said(301, b"", b"Location: http://x/")) as (own, _):
        assert reason(own.ask) == "http 404"
        assert reason(own.ask) == "http 301"


def test_a_new_epoch_is_taken_over_at_once(tmp_path):
    epoch = b"n" * 16
    with asking(tmp_path, no("epoch", epoch=epoch.hex()), ASKED, EMPTY) as (own, gateway):
        own.ask()
        own.ask()
    assert [stamp.epoch for stamp in stamps(gateway)] == [bytes(16), epoch, epoch]


def test_a_counter_that_the_gateway_is_past_is_passed(tmp_path):
    with asking(tmp_path, no("counter", counter=10**6), ASKED) as (own, gateway):
        own.ask()
    assert stamps(gateway)[1].counter == 10**6 + 1


def test_a_gateway_that_always_wants_another_epoch_is_waited_for(tmp_path):
    answers = [no("epoch", epoch=bytes([n]).hex() * 16) for n in range(200)]
    pauses = Pauses()
    with (
        asking(tmp_path, *answers, clock=pauses, sleep=pauses.sleep, manners=SLOW) as (
            own,
            gateway,
        ),
        pytest.raises(LinkLost),
    ):
        own.ask()
    assert len(gateway.came) < 20
    assert len(pauses.slept) > 3


SLOW = Manners(patience=100.0, first=1.0, most=16.0)


def test_pauses_grow_and_are_not_the_same_on_all_devices(tmp_path):
    pauses = Pauses()
    own = caller_at(
        "http://127.0.0.1:1", tmp_path, manners=SLOW, clock=pauses, sleep=pauses.sleep,
        chance=lambda: 0.5,
    )  # fmt: skip
    with pytest.raises(LinkLost, match="could not be reached"):
        own.ask()
    assert pauses.slept == [0.75, 1.5, 3.0, 6.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0]
    assert sum(pauses.slept) < 100.0


def test_a_pause_is_no_shorter_than_the_gateway_says(tmp_path):
    pauses = Pauses()
    with asking(
        tmp_path, no("busy", seconds=7.5), ASKED, clock=pauses, sleep=pauses.sleep, manners=SLOW
    ) as (own, _):
        own.ask()
    assert pauses.slept == [7.5]


# --- a hostile gateway


def test_a_response_that_is_too_large_is_not_read(tmp_path):
    manners = Manners(patience=0.3, first=0.01, most=0.2, response=2.0, ask=3000)
    head = b"HTTP/1.1 200 x\r\nContent-Length: 99999999999\r\n\r\n"
    with (
        asking(tmp_path, *[head] * 99, manners=manners) as (own, _),
        pytest.raises(LinkLost, match="99999999999 bytes, where 3000 may come"),
    ):
        own.ask()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 x\r\n\r\nwithout a length",
        b"HTTP/1.1 200 x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 x\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 x\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
    ],
    ids=["chunks", "no length", "two lengths", "negative", "headers", "long line", "no http"],
)
def test_a_response_that_is_none_is_not_taken(tmp_path, head):
    manners = Manners(patience=0.2, first=0.01, most=0.1, response=0.5)
    with asking(tmp_path, *[head] * 99, manners=manners) as (own, _), pytest.raises(LinkLost):
        own.ask()


def test_a_response_that_drips_has_one_deadline(tmp_path):
    manners = Manners(patience=0.2, first=0.3, most=0.3, response=0.4)
    began = time.monotonic()
    with (
        asking(tmp_path, ASKED, drip=0.05, manners=manners) as (own, _),
        pytest.raises(LinkLost, match=r"in time|timed out"),
    ):
        own.ask(0.0)
    assert time.monotonic() - began < 2.0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=300))
def test_whatever_comes_is_taken_or_refused_by_name(tmp_path_factory, noise):
    manners = Manners(patience=0.02, first=0.03, most=0.03, response=0.2)
    folder = tmp_path_factory.mktemp("caller")
    with asking(folder, said(200, noise), None, manners=manners) as (own, _):
        try:
            own.ask(0.0)
        except (LinkLost, Refused):
            return
    assert wire.decode_ask(wire.decode_parts(noise))


def test_another_gateway_cannot_let_a_device_in(tmp_path):
    """It answers as it would to its own token: the device's names another."""
    rig = Rig(tmp_path / "real")
    token = rig.roster.issue(None)
    evil = Signer(66).key

    class Evil(Scripted):
        def _talk(self, line):
            from tests.drivers.http.scripted import _request

            _, body = _request(line)
            line.sendall(said(200, encode_enrolled(body, bytes(16), bytes(16), evil)))

    with Evil(b"") as gateway, caller_at(gateway.url, tmp_path / "d", enrolled=False) as own:
        assert reason(own.enrol, token.text) == "forged"
        assert not own.enrolled
    assert not (tmp_path / "d" / "gateway.json").exists()


# --- a real one, with a certificate


@pytest.fixture
def secure(tmp_path):
    ca, certificate, key = certificates(tmp_path)
    rig = Rig(tmp_path)
    listener = Listener(rig.app, bound("127.0.0.1", 0), Tls(certificate, key), 50, lambda why: None)
    listener.start()
    rig.url, rig.ca = f"https://127.0.0.1:{listener.port}", ca
    yield rig
    listener.stop()


def test_a_device_is_let_in_over_tls_and_knows_its_servers_key(secure, tmp_path):
    token = secure.roster.issue(None).text
    with caller_at(secure.url, tmp_path / "d", enrolled=False, ca=secure.ca) as own:
        own.enrol(token)
        own.enrol(token)
        assert own.server_key == SERVER.public_key().public_bytes_raw()
        assert own.ask(0.0) is None
        signer = Signer(1, secure.name)
        signer.node = own.node
        chunk = bytes(3_000_000)
        secure.put(signer, b"ask", chunk)
        assert own.ask(1.0) == [b"ask", chunk]
        assert own.answer(b"answer")
    assert secure.came() == [(signer.node, b"answer")]
    with caller_at(secure.url, tmp_path / "d", enrolled=False, ca=secure.ca) as again:
        assert again.node == signer.node
        assert again.ask(0.0) is None  # under a new block of counters


def test_a_certificate_of_nobody_that_is_trusted_is_refused(secure, tmp_path):
    (tmp_path / "other").mkdir()
    other, _, _ = certificates(tmp_path / "other")
    for ca in (None, other):
        with caller_at(secure.url, tmp_path / "d", ca=ca) as own:
            assert reason(own.ask) == "certificate"
    with caller_at(
        secure.url.replace("127.0.0.1", "localhost"), tmp_path / "d", ca=secure.ca
    ) as own:
        assert reason(own.ask) == "certificate"


def test_plain_http_stays_on_its_machine_unless_it_is_meant(tmp_path):
    with pytest.raises(ConfigError, match="reads every report"):
        Caller("http://gateway.example.org", tmp_path)
    Caller("http://gateway.example.org", tmp_path, insecure=True)
    Caller("http://127.0.0.1:8443", tmp_path)


@pytest.mark.parametrize(
    "url",
    ["", "gateway.example.org", "ftp://x", "https://", "https://x/path", "https://x:port",
     "https://u:p@x", "https://x?y", "https://x#y", "https://x:99999"],
)  # fmt: skip
def test_a_url_that_is_none_is_named(url, tmp_path):
    with pytest.raises(ConfigError):
        Address.of(url)


def test_an_authority_that_is_none_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("what")
    with pytest.raises(ConfigError, match="expected an authority's certificate"):
        Caller("https://127.0.0.1", tmp_path / "d", ca=tmp_path / "ca.pem")


def test_it_is_light():
    """No torch and no web framework: devices have little room."""
    import subprocess
    import sys

    code = "import sys, baffle.drivers.http.caller; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "starlette", "uvicorn", "httpx", "requests", "pydantic", "typer", "asyncio"}
    assert not heavy & set(found.stdout.split())
