"""How a device is let in: tokens, enrolments, and what a gateway answers to one."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.drivers.http.enrolment import (
    Enrolment,
    Token,
    decode_enrolled,
    decode_enrolment,
    encode_enrolled,
    encode_enrolment,
    gateway_of,
)
from baffle.errors import DecodeError, Refused
from baffle.protocol.exchange.signed import public_bytes
from tools.fuzz.draws import Draws
from tools.fuzz.mutations import Sample, mutated
from tools.fuzz.target import Bytes, Case, differing

ENROLMENT_FIELDS = ((4, 8), (28, 8), (36, 8), (60, 8), (68, 8), (100, 8), (132, 8), (164, 8))
ENROLLED_FIELDS = ((4, 8), (20, 8), (44, 8), (52, 8), (68, 8), (92, 8), (100, 8), (124, 8))


def _key(draws: Draws) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(draws.bytes(32))


class Tokens(Bytes):
    """`Token.of`, of what a person has copied."""

    name = "token"

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a token's text."""
        found = Token(draws.bytes(16), draws.bytes(16))
        return Sample(found.text.encode(), header=0), found

    def decode(self, case: Case) -> Token:
        """Call it."""
        return Token.of(case.data.decode("latin-1"))

    def wrong(self, case: Case, value: Token) -> str | None:
        """Check the encoding."""
        return differing(
            {
                "encoding": value.text.encode() == case.data,
                "same": not case.honest or value == case.about,
                "sizes": (len(value.gateway), len(value.secret)) == (16, 16),
            }
        )


class Enrolments(Bytes):
    """`decode_enrolment`, told the gateway's name."""

    name = "enrolment"
    errors = (DecodeError, Refused)

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return an enrolment, with the gateway's name and who enrols."""
        token, device = Token(draws.bytes(16), draws.bytes(16)), _key(draws)
        data = encode_enrolment(token, device)
        about = token.gateway, Enrolment(token.public, public_bytes(device))
        return Sample(data, ENROLMENT_FIELDS, header=4), about

    def draw(self, draws: Draws, large: bool) -> Case:
        """Return an enrolment: a good one, a damaged one, or one at another gateway."""
        case = super().draw(draws, large)
        if case.honest and draws.chance(3):
            gateway, who = case.about
            return Case(case.data, False, (gateway[1:] + gateway[:1], who), case.size)
        return case

    def decode(self, case: Case) -> Enrolment:
        """Call it."""
        return decode_enrolment(case.data, case.about[0])

    def wrong(self, case: Case, value: Enrolment) -> str | None:
        """Check that only what both keys signed is taken."""
        return differing({"forged": case.honest, "same": value == case.about[1]})


class Enrolleds(Bytes):
    """`decode_enrolled`, told what was sent and whom the token names."""

    name = "enrolled"
    errors = (DecodeError, Refused)

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return an answer, with the request, the gateway's name and what it says."""
        server, salt, epoch = _key(draws), draws.bytes(16), draws.bytes(16)
        request = draws.bytes(draws.between(1, 200))
        public = public_bytes(server)
        about = request, gateway_of(salt, public), (public, epoch)
        return Sample(encode_enrolled(request, salt, epoch, server), ENROLLED_FIELDS, 4), about

    def draw(self, draws: Draws, large: bool) -> Case:
        """Return an answer: a good one, a damaged one, or one to another request."""
        case = super().draw(draws, large)
        if case.honest and draws.chance(3):
            request, gateway, says = case.about
            other = mutated(draws, Sample(request), self._pools[0])
            return Case(case.data, other == request, (other, gateway, says), case.size)
        return case

    def decode(self, case: Case) -> tuple[bytes, bytes]:
        """Call it."""
        return decode_enrolled(case.data, case.about[0], case.about[1])

    def wrong(self, case: Case, value: tuple[bytes, bytes]) -> str | None:
        """Check that only what the token's gateway signed is taken."""
        return differing({"forged": case.honest, "same": value == case.about[2]})
