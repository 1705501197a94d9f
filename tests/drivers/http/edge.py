"""A gateway in this process: its app, and devices that sign by hand."""

import dataclasses

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.drivers.http import wire
from baffle.drivers.http.app import Edge, Patience, make_app
from baffle.drivers.http.board import Board
from baffle.drivers.http.enrolment import Token, encode_enrolment
from baffle.drivers.http.roster import Roster
from baffle.drivers.http.state import Bounds
from baffle.drivers.http.transport import HttpTransport
from baffle.fleet import Outgoing
from tests.drivers.http.asgi import Client
from tests.drivers.http.devices import Signer

SERVER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
QUICK = Patience(ask=2.0, body=0.3, piece=1.0)


class Rig:
    """A gateway whose server is the test."""

    def __init__(self, folder, rows=(), patience=QUICK, **bounds):
        self.roster = Roster(folder, SERVER.public_key().public_bytes_raw())
        limits = dataclasses.replace(Bounds(answer=1000), **bounds)
        self.transport = HttpTransport(self.roster, SERVER, limits)
        self.board = Board("ab" * 16, 10, list(rows), lambda: self.transport.figures)
        self.edge = Edge(self.transport, self.board, patience)
        self.app = make_app(self.edge)
        self.client = Client(self.app)

    @property
    def name(self):
        return self.roster.about.name

    def device(self, number):
        """Return a device that is enrolled."""
        signer = Signer(number, self.name)
        response = self.enrol(signer, self.roster.issue(None))
        assert response.status_code == 200, response.text
        return signer

    def enrol(self, signer, token):
        token = Token(self.name, token.secret)
        return self.client.post("/v1/enrol", content=encode_enrolment(token, signer.key))

    def post(self, signer, path, body, headers=None, **named):
        stamp, _ = signer.signed(path, body, **{"epoch": self.transport.gateway.epoch, **named})
        given = {"authorization": stamp.header(), **(headers or {})}
        return self.client.post(path, content=body, headers=given)

    def ask(self, signer, wait=0, **named):
        return self.post(signer, "/v1/ask", wire.encode_wait(wait), **named)

    def answer(self, signer, number, data, **named):
        return self.post(signer, "/v1/answer", wire.encode_answer(number, data), **named)

    def put(self, signer, *parts, seconds=60.0):
        self.transport.carry([Outgoing(signer.node, parts)], seconds, "0")

    def came(self):
        return [(c.node, c.data) for c in self.transport.poll()]


def fetched(response):
    """Return (number, parts) of a response."""
    assert response.status_code == 200, response.text
    return wire.decode_ask(wire.decode_parts(response.content))


def refused(response):
    """Return the name of a refusal."""
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) >= {"error", "text"}
    assert "Traceback" not in response.text
    return response.status_code, response.json()["error"]
