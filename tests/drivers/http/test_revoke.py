"""A device that is turned away: by name, at once, for good, and nobody else with it."""

import json
import threading
import time

import pytest

from baffle.drivers.fleet.hosting import Hooks
from baffle.drivers.http.listing import listed, revoke
from baffle.drivers.http.serve import Watching
from baffle.drivers.local.metrics import read_metrics
from baffle.errors import ConfigError, Refused
from tests.drivers.fleet.loopback import CLIENTS, CONFIG
from tests.drivers.http.devices import Signer, asks, gateway
from tests.drivers.http.edge import Rig, fetched, refused
from tests.drivers.http.live import devices_of, roster_of, serve

NO = (403, "revoked")


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


@pytest.fixture
def pair(rig):
    return rig.device(1), rig.device(2)


def turn_away(tmp_path, signer):
    return revoke(tmp_path, signer.public.hex(), time.time())


# --- the gateway


def test_it_is_refused_by_name_and_no_other_device_is(tmp_path, rig, pair):
    first, second = pair
    assert rig.ask(first).status_code == 204
    turn_away(tmp_path, first)
    assert refused(rig.ask(first)) == NO
    assert refused(rig.ask(first, epoch=bytes(16))) == NO  # before it is told to sign anew
    assert rig.ask(second).status_code == 204


def test_what_was_asked_of_it_comes_back_and_its_answer_is_not_taken(tmp_path, rig, pair):
    first, second = pair
    for one in pair:
        rig.put(one, b"an ask")
    number, _ = fetched(rig.ask(first))
    turn_away(tmp_path, first)
    assert refused(rig.answer(first, number, b"mine")) == NO
    (came,) = rig.transport.poll()
    assert (came.node, came.data) == (first.node, None)
    assert "turned away" in came.problem
    rig.put(first, b"another")
    (came,) = rig.transport.poll()
    assert "turned away" in came.problem
    assert rig.transport.figures["bytes_down"] == len(b"an ask")  # the other's
    assert fetched(rig.ask(second))[1] == [b"an ask"]


def test_a_device_that_waits_is_told_and_is_no_longer_there(tmp_path, rig, pair):
    first, _ = pair
    found = []
    waiting = threading.Thread(target=lambda: found.append(rig.ask(first, wait=60_000)))
    waiting.start()
    while not rig.transport.figures["waiting"]:
        time.sleep(0.01)
    turn_away(tmp_path, first)
    assert first.node not in rig.transport.nodes()
    waiting.join(5)
    assert refused(found[0]) == NO
    assert rig.transport.figures["waiting"] == 0


def test_its_token_and_its_key_let_nobody_in(tmp_path, rig):
    token, other = rig.roster.issue(None), rig.roster.issue(None)
    first = Signer(1, rig.name)
    assert rig.enrol(first, token).status_code == 200
    turn_away(tmp_path, first)
    assert refused(rig.enrol(first, token)) == NO
    assert refused(rig.enrol(Signer(2, rig.name), token)) == (403, "token")
    assert refused(rig.enrol(first, other)) == NO
    assert rig.enrol(Signer(2, rig.name), other).status_code == 200  # which was not used up


def test_it_stays_so_after_a_restart(tmp_path, rig, pair):
    first, second = pair
    turn_away(tmp_path, first)
    again = Rig(tmp_path)
    assert refused(again.ask(first)) == NO
    assert again.ask(second).status_code == 204
    assert again.transport.figures["revoked"] == 1


def test_one_that_goes_on_asking_waits_like_a_stranger():
    signer = Signer(3)
    found = gateway((signer,))
    assert found.revoke(signer.node)
    assert not found.revoke(signer.node)
    reasons = set()
    for _ in range(30):
        with pytest.raises(Refused) as no:
            asks(found, signer)
        reasons.add(no.value.reason)
    assert reasons == {"revoked", "busy"}


# --- the operator


def test_the_operator_sees_who_is_there(tmp_path, rig, pair):
    (tmp_path / "members.json").write_text(json.dumps({"nodes": {"5": pair[1].node}}))
    rig.transport.today = lambda: 1_700_000_000.0
    assert rig.ask(pair[0]).status_code == 204
    rig.transport.stop()
    turn_away(tmp_path, pair[1])
    first, second = listed(tmp_path)
    assert [d.number for d in (first, second)] == [1, 2]
    assert [d.node for d in (first, second)] == [signer.node for signer in pair]
    assert (first.client, second.client) == (None, 5)
    assert (first.seen, second.seen) == (1_700_000_000, None)
    assert (first.revoked, second.revoked is None) == (None, False)
    assert abs(first.enrolled - time.time()) < 60


def test_when_a_device_was_seen_outlives_a_restart_and_a_damaged_file(tmp_path, rig, pair):
    rig.transport.today = lambda: 5e8
    assert rig.ask(pair[0]).status_code == 204
    rig.transport.stop()
    again = Rig(tmp_path)
    again.transport.today = lambda: 6e8
    assert again.ask(pair[1]).status_code == 204
    again.transport.stop()
    assert [d.seen for d in listed(tmp_path)] == [500_000_000, 600_000_000]
    (tmp_path / "gateway" / "seen.json").write_bytes(b"\0" * 40)
    assert [d.seen for d in listed(tmp_path)] == [None, None]
    assert Rig(tmp_path).ask(pair[0]).status_code == 204


def test_a_device_is_named_in_any_of_three_ways(tmp_path, rig, pair):
    first = listed(tmp_path)[0]
    assert all(first.is_named(t) for t in ("1", str(first.node), first.fingerprint.upper()))
    assert not any(first.is_named(t) for t in ("2", "01", first.fingerprint[:7], "", "0"))


@pytest.mark.parametrize("text", ["3", "0", "-1", "ffffffffffff", "", "all"])
def test_what_names_no_device_is_refused(tmp_path, rig, pair, text):
    with pytest.raises(ConfigError, match="expected the number of one of 2 devices"):
        revoke(tmp_path, text, 0.0)
    assert rig.roster.revoked.all() == frozenset()


def test_a_folder_without_a_gateway_is_named(tmp_path):
    with pytest.raises(ConfigError, match="expected a gateway's run folder"):
        listed(tmp_path / "none")
    assert not (tmp_path / "none").exists()


# --- a run


@pytest.mark.slow
def test_a_run_goes_on_without_it(tmp_path):
    run, devices = tmp_path / "run", []
    tokens = [roster_of(run).issue(None) for _ in range(CLIENTS)]

    def look(row):
        if row["round"] == 2:
            revoke(run, "2", time.time())

    def listening(port):
        devices.extend(devices_of(tmp_path, port, tokens))

    watching = Watching(Hooks(on_row=look), listening)
    began = time.monotonic()
    assert serve(run, watching=watching).done
    for device in devices:
        device.join(10)
    assert time.monotonic() - began < 20.0  # a round's deadline: nobody waited for it
    turned = {d.node for d in listed(run) if d.revoked}
    ended = [device.ended for device in devices]
    assert sorted(ended) == ["done"] * (CLIENTS - 1) + ["revoked"]
    rows = read_metrics(run)
    assert [row["reports"] for row in rows[:2]] == [CLIENTS] * 2
    assert rows[-1]["reports"] == CLIENTS - 1
    left = {device.digest for device in devices if device.ended == "done"}
    assert left == {rows[-1]["digest"]}
    members = json.loads((run / "members.json").read_text())
    assert len(members["tags"]) == CLIENTS  # its number is still its own
    assert turned <= set(members["nodes"].values())
    assert len(rows) == CONFIG["rounds"]
