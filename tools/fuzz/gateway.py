"""What comes over the gateway's socket, on both sides: bodies, signed requests, refusals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.drivers.http import wire
from baffle.drivers.http.refusals import (
    MAX_REFUSAL,
    MAX_SECONDS,
    MAX_TEXT,
    REFUSALS,
    No,
    Refusal,
    decode_refusal,
    encode_refusal,
    status_of,
)
from baffle.drivers.http.signed import (
    EPOCH_BYTES,
    GATEWAY_BYTES,
    MAX_NODE,
    SCHEME,
    TOKEN_BYTES,
    Request,
    Stamp,
    sign,
    verify,
)
from baffle.errors import DecodeError, Refused
from tools.fuzz import texts
from tools.fuzz.draws import Draws
from tools.fuzz.mutations import Sample, mutated
from tools.fuzz.target import Bytes, Case, differing

STAMP_FIELDS = ((0, 1), (1, 8), (9, 8), (17, 8), (33, 8), (57, 8), (65, 8), (89, 8))
KINDS = ("parts", "ask", "answer", "wait")


class Bodies(Bytes):
    """`decode_parts`, `decode_ask`, `decode_answer` and `decode_wait`."""

    name = "gateway body"
    slope = 64  # a length of 4 bytes is an int, and a part of none a place in a list
    constant = 1 << 15

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a body and its kind; a large one has as many parts as may be."""
        kind = "ask" if large else draws.pick(KINDS)
        number = draws.bits(64).to_bytes(8, "little")
        if kind == "wait":
            return Sample(wire.encode_wait(draws.below(wire.MAX_WAIT + 1)), ((0, 4),)), kind
        if kind == "answer":
            parts = [number, draws.bytes(draws.below(200))]
        else:
            count = wire.MAX_PARTS - 1 if large else draws.between(1, 6)
            parts = [number] + [b"" if large else draws.bytes(draws.below(90))] * count
        fields = tuple((at, 4) for at in range(4, 8 + 4 * min(len(parts), 20), 4))
        return Sample(wire.encode_parts(parts), fields, header=4), kind

    def decode(self, case: Case) -> Any:
        """Call it."""
        if case.about == "wait":
            return wire.decode_wait(case.data)
        if case.about == "answer":
            return wire.decode_answer(case.data)
        parts = wire.decode_parts(case.data)
        return wire.decode_ask(parts) if case.about == "ask" else parts

    def wrong(self, case: Case, value: Any) -> str | None:
        """Check the encoding."""
        again = {
            "wait": wire.encode_wait,
            "answer": lambda found: wire.encode_answer(*found),
            "ask": lambda found: wire.encode_parts(wire.encode_ask(*found)),
            "parts": wire.encode_parts,
        }
        return differing({"encoding": again[case.about](value) == case.data})


class Requests(Bytes):
    """`Stamp.of` and `verify`, told the request, the gateway and the device's key."""

    name = "gateway request"
    errors = (DecodeError, Refused)

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a stamp's bytes, with what it was signed for."""
        key, gateway = Ed25519PrivateKey.from_private_bytes(draws.bytes(32)), draws.bytes(16)
        body = draws.bytes(1 << 16 if large else draws.below(100))
        request = Request("POST", draws.pick(("/v1/ask", "/v1/answer")), body)
        stamp = Stamp(max(1, draws.bits(63)), draws.bits(64), draws.bytes(EPOCH_BYTES))
        signed = sign(stamp, request, gateway, key)
        data = bytes.fromhex(signed.header().removeprefix(f"{SCHEME} "))
        return Sample(data, STAMP_FIELDS, header=1), (request, gateway, key.public_key())

    def draw(self, draws: Draws, large: bool) -> Case:
        """Return a header: a good one, a damaged one, or a good one of another request."""
        case = super().draw(draws, large)
        header = f"{SCHEME} {case.data.hex()}"
        if not case.honest and draws.chance(8):
            header = mutated(draws, Sample(header.encode()), self._pools[0]).decode("latin-1")
        honest, about = case.honest, case.about
        if honest and draws.chance(3):
            honest, about = False, self._elsewhere(draws, about)
        return Case(header, honest, about, len(header))

    @staticmethod
    def _elsewhere(draws: Draws, about: Any) -> Any:
        request, gateway, key = about
        other = draws.pick(
            (
                Request("GET", request.path, request.body),
                Request("POST", request.path + "/", request.body),
                Request("POST", request.path, request.body + b"\0"),
                request,
            )
        )
        moved = bytes([gateway[0] ^ 1]) + gateway[1:] if other is request else gateway
        return other, moved, key

    def decode(self, case: Case) -> Stamp:
        """Call it."""
        request, gateway, key = case.about
        found = Stamp.of(case.data)
        verify(found, request, gateway, key)
        return found

    def wrong(self, case: Case, value: Stamp) -> str | None:
        """Check that only what the device signed is taken, in one encoding."""
        return differing(
            {
                "forged": case.honest,
                "encoding": value.header() == case.data,
                "sizes": len(case.data) == len(SCHEME) + 1 + 2 * TOKEN_BYTES,
                "node": 1 <= value.node <= MAX_NODE,
                "gateway": len(case.about[1]) == GATEWAY_BYTES,
            }
        )


class Refusals(Bytes):
    """`decode_refusal`, which raises nothing: what is no gateway's counts as refused here."""

    name = "refusal"
    slope = 120  # as other JSON
    constant = 1 << 16

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a refusal and its status."""
        reason = draws.pick(sorted(REFUSALS))
        extras: tuple[dict[str, Any], ...] = (
            {},
            {"seconds": draws.bits(12) / 8},
            {"epoch": draws.bytes(EPOCH_BYTES).hex()},
            {"counter": draws.bits(64)},
        )
        text = draws.pick(("the run is over", "größe \U0001f512", "a\nb\x1b[2J", "x" * 900))
        return Sample(encode_refusal(No(reason, text, **draws.pick(extras))), header=0), status_of(
            reason
        )

    def mutate(self, draws: Draws, sample: Sample, pool: Sequence[Sample]) -> bytes:
        """Attack it as JSON, seldom as bytes."""
        if draws.chance(4):
            return mutated(draws, sample, pool)
        return texts.encoded(draws, texts.attacked(draws, sample.data.decode()))

    def decode(self, case: Case) -> Refusal:
        """Call it."""
        found = decode_refusal(case.about, case.data)
        if found.reason not in REFUSALS:
            raise DecodeError(found.text)
        return found

    def wrong(self, case: Case, value: Refusal) -> str | None:
        """Check what a device acts by: the status, how long it waits, what its log gets."""
        status, again = REFUSALS[value.reason]
        return differing(
            {
                "status": status == case.about,
                "again": again is value.again,
                "seconds": 0.0 <= value.seconds <= MAX_SECONDS,
                "text": value.text.isprintable() and len(value.text) <= MAX_TEXT,
                "size": len(case.data) <= MAX_REFUSAL,
                "says": json.loads(case.data)["error"] == value.reason,
            }
        )
