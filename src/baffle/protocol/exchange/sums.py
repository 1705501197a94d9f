"""Messages of secure sums on their way: one or two in an ask, and as many in its answer.

In a steady state a round takes two exchanges, because one message opens a round's sum and another
shares the secrets of the next one's, and both go together:

    to      plan ‖ mask ask                             unmask ask ‖ share ask of the next round
    from    mask answer                                 unmask answer ‖ share answer

Instead of a mask answer there may be a complaint about a neighbour.

What is in a message, `baffle.secagg.wire` knows; here it has a type byte and a length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from baffle.protocol.codec import MAX_COUNT
from baffle.protocol.exchange.reader import Reader, sized
from baffle.secagg.wire import (
    COMPLAINT,
    MASK_ANSWER,
    MASK_ASK,
    SHARE_ANSWER,
    SHARE_ASK,
    UNMASK_ANSWER,
    UNMASK_ASK,
)

MAX_MESSAGE = 2**12 + 8 * MAX_COUNT  # a masked vector of lanes of 63 bits is the longest
ASKS = ((MASK_ASK,), (UNMASK_ASK,), (SHARE_ASK,), (UNMASK_ASK, SHARE_ASK))
ANSWERS = (
    (MASK_ANSWER,),
    (UNMASK_ANSWER,),
    (SHARE_ANSWER,),
    (UNMASK_ANSWER, SHARE_ANSWER),
    (COMPLAINT,),
)
ANSWER_TO = {MASK_ASK: MASK_ANSWER, UNMASK_ASK: UNMASK_ANSWER, SHARE_ASK: SHARE_ANSWER}


def kinds(messages: Sequence[bytes]) -> tuple[int, ...]:
    """Return the messages' type bytes; 0 for one that is empty."""
    return tuple(message[0] if message else 0 for message in messages)


def encode(messages: Sequence[bytes]) -> bytes:
    """Return how many messages there are, and each behind its length."""
    return bytes((len(messages),)) + b"".join(map(sized, messages))


def decode_asks(reader: Reader, planned: bool) -> tuple[bytes, ...]:
    """Return an ask's messages.

    Args:
        reader: before them.
        planned: whether the ask has a plan: its masked vector is asked for beside it, and nothing
            else is.

    Raises:
        DecodeError: other messages than go together.
    """
    found = _decode(reader)
    reader.need(kinds(found) in ASKS, "secure sums' messages that go together", kinds(found))
    together = planned == (kinds(found) == (MASK_ASK,))
    reader.need(together, "a mask ask with a plan, others without", kinds(found))
    return found


def decode_answers(reader: Reader) -> tuple[bytes, ...]:
    """Return an answer's messages.

    Raises:
        DecodeError: other messages than go together.
    """
    found = _decode(reader)
    reader.need(kinds(found) in ANSWERS, "secure sums' answers that go together", kinds(found))
    return found


def _decode(reader: Reader) -> tuple[bytes, ...]:
    count = reader.number(1)
    reader.need(count <= 2, "at most 2 messages of secure sums", count)
    return tuple(reader.sized("a message of a secure sum", MAX_MESSAGE) for _ in range(count))


def context(plan: bytes | None, asks: Sequence[bytes]) -> bytes:
    """Return what an answer is bound to besides its client: the plan and the messages, 32 bytes."""
    return hashlib.sha256(sized(plan or b"") + encode(asks)).digest()
