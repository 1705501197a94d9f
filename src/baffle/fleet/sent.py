"""What a client was sent of secure sums last, and which answers go with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from baffle.errors import Refused
from baffle.protocol.exchange import Masked
from baffle.protocol.exchange.sums import ANSWER_TO, context, kinds


@dataclass
class Sent:
    """The newest messages to a client.

    Args:
        round: that the last of them is about.
        messages: as encoded.
        node: that they went to.
        plan: beside them, or None.
        evaluate: whether it is to evaluate as well.
        answered: whether an answer was taken.
    """

    round: int
    messages: tuple[bytes, ...]
    node: int
    plan: bytes | None = None
    evaluate: bool = False
    answered: bool = field(default=False)

    @cached_property
    def context(self) -> bytes:
        """What the answer is bound to, 32 bytes."""
        return context(self.plan, self.messages)

    def require_answer(self, number: int, tag: bytes, answer: Masked) -> None:
        """Raise Refused unless this is the first answer of this client to these messages.

        Args:
            number, tag: the client's.
            answer: as it came.

        Raises:
            Refused: "identity", "round" for an answer to something else that was asked, "seal", or
                "twice".
        """
        who = f"client {number}"
        if answer.client != number:
            raise Refused("identity", f"{who} answers in the name of client {answer.client}")
        if answer.seal != answer.sealed(tag, self.context).seal:
            raise self._another(who, answer)
        if self.answered:
            raise Refused("twice", f"{who} answered in round {self.round} already")

    def _another(self, who: str, answer: Masked) -> Refused:
        """Return why an answer that does not fit is refused."""
        wanted = {ANSWER_TO[kind] for kind in kinds(self.messages)}
        if answer.round != self.round or not wanted.issuperset(kinds(answer.messages)):
            return Refused(
                "round", f"{who}: an answer in round {answer.round} to what is not asked any more"
            )
        return Refused(
            "seal",
            f"{who}: an answer without the seal of its answer to this ask; one of them was changed "
            "on the way, or node and client do not go together",
        )
