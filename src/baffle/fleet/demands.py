"""What a client's operator wants of a run before the client takes part in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from baffle.errors import Refused
from baffle.protocol import Genesis


@dataclass(frozen=True)
class Demands:
    """An operator's wishes; none of them, as a rule.

    Args:
        secure: whether to refuse runs whose reports go in the clear.
        min_group: refuse secure sums that may be of fewer clients than these.
        identities: Ed25519 public keys of other clients, by number, where they are known by a way
            that does not lead through the server.
    """

    secure: bool = False
    min_group: int = 0
    identities: Mapping[int, bytes] = field(default_factory=dict)

    def known(self, number: int) -> bytes | None:
        """Return the identity key that a client is known by, None if it is not known."""
        return self.identities.get(number)

    def require(self, genesis: Genesis) -> None:
        """Raise Refused unless a run is one to take part in.

        A run whose privacy noise comes in shares is none without secure sums, whoever asks.
        """
        spec = genesis.secure
        if spec is None and (self.secure or genesis.privacy is not None):
            raise Refused(
                "secure", "expected a run with secure sums, got one whose reports go in the clear"
            )
        if spec is not None and spec.min_group < self.min_group:
            raise Refused(
                "group",
                f"expected sums of {self.min_group} clients or more, got a run that opens sums of "
                f"{spec.min_group}",
            )
