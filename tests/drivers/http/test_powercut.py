"""A gateway's folder through a power cut at each write: who was let in is in, once."""

from __future__ import annotations

import contextlib
import io
import json

import pytest

from baffle.cli.gateway import gateway_token
from baffle.drivers.fleet.key import server_key
from baffle.drivers.fleet.run import SERVER_KEY
from baffle.drivers.http.enrolment import Token, encode_enrolment
from baffle.drivers.http.listing import revoke
from baffle.drivers.http.roster import Roster
from baffle.drivers.http.transport import HttpTransport
from baffle.errors import Refused
from baffle.ledger.durable import make_folder
from baffle.protocol.exchange.signed import public_bytes
from tests.drivers.http.devices import Signer
from tests.powercut import Disk, hasty  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("hasty")

HERE = "192.0.2.1"
DEVICES, GONE = 3, 1


def opened(run):
    """Return a gateway that starts on a run folder."""
    make_folder(run)
    key = server_key(run / SERVER_KEY)
    return HttpTransport(Roster(run, public_bytes(key)), key)


def tokens_of(run):
    """Return the tokens that the command prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        gateway_token(run, count=DEVICES, as_json=True)
    return [Token.of(text) for text in json.loads(out.getvalue())["tokens"]]


def life(run, say):
    """Give tokens out, start the gateway, let a device in with each, and turn one away."""
    tokens = tokens_of(run)
    say(("given out", tokens))
    transport = opened(run)
    for number, token in enumerate(tokens):
        transport.enrol(enrolment(number, token), HERE)
        say(("let in", number))
    revoke(run, str(GONE + 1), 0.0)
    say(("revoked", GONE))


def enrolment(number, token):
    return encode_enrolment(token, Signer(number).key)


def test_what_is_left_lets_everyone_in_once(tmp_path):
    (tmp_path / "life").mkdir()
    with Disk(tmp_path / "life") as disk:
        life(tmp_path / "life" / "runs" / "edge", disk.say)
    seen = set()
    for number, cut in enumerate(disk.cuts()):
        run = cut.restore(tmp_path / "left" / str(number)) / "runs" / "edge"
        seen.add(goes_on(run, cut))
    assert {(0, False), (1, False), (2, False), (3, False), (3, True)} <= seen


def goes_on(run, cut):
    """Start again from what is left; returns how many devices are in, and whether one is out."""
    given = next((value for what, value in cut.said if what == "given out"), None)
    transport = opened(run)
    tokens = given or [transport.roster.issue(None) for _ in range(DEVICES)]
    inside = set(transport.gateway.devices.by_node)
    name = transport.roster.about.name
    nodes = [Signer(number, name).node for number in range(DEVICES)]
    let_in = [value for what, value in cut.said if what == "let in"]
    assert {token.gateway for token in tokens} == {name}, cut.how
    assert {nodes[number] for number in let_in} <= inside <= set(nodes), cut.how
    assert all(refuses(transport, 9, tokens[number]) == "token" for number in let_in), cut.how
    gone = transport.gateway.devices.by_node[nodes[GONE]].revoked if len(inside) > GONE else False
    assert gone or "revoked" not in dict(cut.said), cut.how
    for number, token in enumerate(tokens):  # who had no answer asks again
        expected = "revoked" if gone and number == GONE else None
        assert refuses(transport, number, token) == expected, cut.how
    again = opened(run)
    assert set(again.gateway.devices.by_node) == set(nodes), cut.how
    assert len(again.roster.known) == DEVICES, cut.how
    return len(inside), gone


def refuses(transport, number, token):
    try:
        transport.enrol(enrolment(number, token), HERE)
    except Refused as no:
        return no.reason
    return None
