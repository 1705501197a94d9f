"""The envelope of an ask: `open_ask`, which must take nothing that the server did not sign."""

from __future__ import annotations

from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.errors import DecodeError, Refused
from baffle.protocol.exchange.signed import ENVELOPE_BYTES, open_ask, public_bytes, sign_ask
from tools.fuzz.draws import Draws
from tools.fuzz.mutations import Sample
from tools.fuzz.target import Bytes, Case, differing

FIELDS = ((0, 8), (24, 8), (32, 8), (56, 8), (64, 8), (88, 8))  # of R, S and the key


class Signed(Bytes):
    """`open_ask`, told the node that it came to."""

    name: ClassVar[str] = "signed"
    errors = (DecodeError, Refused)

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a signed ask with its node, its key and its own bytes."""
        key, node = Ed25519PrivateKey.from_private_bytes(draws.bytes(32)), draws.bits(64)
        ask = draws.bytes(1 << 16 if large else draws.between(23, 300))
        data = sign_ask(ask, node, key)
        return Sample(data, FIELDS, ENVELOPE_BYTES), (node, public_bytes(key), data)

    def draw(self, draws: Draws, large: bool) -> Case:
        """Return a signed ask, a damaged one, or one that went to another node."""
        case = super().draw(draws, large)
        if case.honest or not draws.chance(8):
            return case
        node, key, good = case.about
        return Case(good, False, (node ^ 1 << draws.below(64), key, good), len(good))

    def decode(self, case: Case) -> tuple[bytes, bytes]:
        """Call it."""
        return open_ask(case.data, case.about[0])

    def wrong(self, case: Case, value: tuple[bytes, bytes]) -> str | None:
        """Check that only what was signed is taken, under the key that signed it."""
        ask, key = value
        return differing(
            {
                "forged": case.honest or key != case.about[1],
                "ask": ask == case.data[ENVELOPE_BYTES:],
            }
        )
