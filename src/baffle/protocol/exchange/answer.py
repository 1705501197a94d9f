"""An answer: a report, what a client holds, or what is wrong with it.

Around a report it takes 11 bytes, and 16 more with an evaluation. There is nothing in it that a
client would not say again: asked the same, it answers with the same bytes.

Eight of the 11 are its seal, a hash over the run and what follows: an answer that was changed on
its way, or was given in another run, is none. A report's seal takes in the client's tag and the
plan instead of the run, so that another client's report, or one that answers a plan that was
changed on its way, is not summed. So does that of what goes into a secure sum, with the sum's own
messages beside the plan.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass

from baffle.protocol.codec import MAX_COUNT, REPORT_HEADER
from baffle.protocol.exchange import sums
from baffle.protocol.exchange.reader import Reader, sized, u32
from baffle.protocol.exchange.trouble import CODES, REASONS
from baffle.protocol.messages import DIGEST_BYTES, LOSS_EXPONENT
from baffle.quantisation import MAX_BITS
from baffle.secagg.keys import ADVERT_BYTES

ANSWER, VERSION = 0x61, 1
REPORTED, HOLDS, TROUBLE, MASKED = 0, 1, 2, 3
EVALUATED, ADVERTISED = (
    128,
    64,
)  # added to a kind: the first to all but trouble, the second to holds
KINDS = (REPORTED, HOLDS, HOLDS | ADVERTISED, MASKED)
TAG_BYTES = 16
MAX_LOSS = 2**31 - 1  # in units of 2^-16, as in a report
SEAL_BYTES = 8
HEAD_BYTES = 3 + SEAL_BYTES
MAX_REPORT = REPORT_HEADER + MAX_COUNT * MAX_BITS // 8
MAX_TEXT = 400
MAX_ANSWER = max(MAX_REPORT, 2 * sums.MAX_MESSAGE) + 64
NONE = 2**32 - 1  # of a number that is not known
NO_REASON = 255


@dataclass(frozen=True)
class Evaluation:
    """What the weights come to on a client's held-out examples.

    Args:
        examples: how many.
        right: how many were classified rightly; None unless targets are classes.
        loss: their mean loss in units of 2^-16.
    """

    examples: int
    right: int | None
    loss: int

    @classmethod
    def of(cls, examples: int, right: int | None, loss: float) -> Evaluation:
        """Return an evaluation with a mean loss as it was found; beyond what fits it saturates."""
        most = MAX_LOSS * 2.0**LOSS_EXPONENT
        bounded = max(-most, min(most, loss if math.isfinite(loss) else most))
        return cls(examples, right, round(bounded * 2.0**-LOSS_EXPONENT))


@dataclass(frozen=True)
class Holding:
    """A state that a client holds: after how many rounds, and its digest."""

    round: int
    digest: bytes


@dataclass(frozen=True)
class Reported:
    """A report, as encoded.

    Args:
        report: bytes.
        evaluation: if it was asked for and the client has examples for it.
        seal: 8 bytes, see `sealed`; only who knows plan and tag can tell whether it fits.
    """

    report: bytes
    evaluation: Evaluation | None = None
    seal: bytes = bytes(SEAL_BYTES)

    def sealed(self, tag: bytes, plan: bytes) -> Reported:
        """Return it with the seal of a client's answer to a plan.

        Args:
            tag: the client's.
            plan: as encoded.
        """
        kind, rest = _kind(REPORTED, self.evaluation), _figures(self.evaluation) + self.report
        context = tag + hashlib.sha256(plan).digest()
        return dataclasses.replace(self, seal=_seal(kind, rest, context))


@dataclass(frozen=True)
class Holds:
    """Who a client is in this run, and what it holds of it.

    Args:
        tag: 16 bytes of its own, see `client_tag`.
        claim: the number that its operator gave it, or None.
        holding: its state, None before it has any.
        microseconds: that a round takes it to rebuild, 0 if it has not measured.
        evaluation: as in `Reported`.
        advert: its keys for secure sums, 170 bytes as `baffle.secagg.encode_advert` makes them, in
            a run that has such sums; else None.
    """

    tag: bytes
    claim: int | None
    holding: Holding | None
    microseconds: int = 0
    evaluation: Evaluation | None = None
    advert: bytes | None = None


@dataclass(frozen=True)
class Masked:
    """Answers to the messages of secure sums that an ask had.

    Args:
        client: who answers; the seal proves it.
        round: of the last of the messages.
        messages: as `baffle.secagg` made them, fewer than were asked for if one was refused.
        refused: why, one of `REASONS`; None if none was.
        evaluation, seal: as in `Reported`.
    """

    client: int
    round: int
    messages: tuple[bytes, ...]
    refused: str | None = None
    evaluation: Evaluation | None = None
    seal: bytes = bytes(SEAL_BYTES)

    def sealed(self, tag: bytes, context: bytes) -> Masked:
        """Return it with the seal of a client's answer to an ask.

        Args:
            tag: the client's.
            context: of the ask, see `Ask.context`.
        """
        kind, rest = _kind(MASKED, self.evaluation), _figures(self.evaluation) + self._own()
        return dataclasses.replace(self, seal=_seal(kind, rest, tag + context))

    def _own(self) -> bytes:
        code = NO_REASON if self.refused is None else CODES[self.refused]
        head = u32(self.client) + u32(self.round) + bytes((code,))
        return head + sums.encode(self.messages)


@dataclass(frozen=True)
class Trouble:
    """Why there is no report.

    Args:
        reason: one of `REASONS`.
        text: a sentence for people, cut to 400 bytes.
        holding: its state, None if it has none.
    """

    reason: str
    text: str
    holding: Holding | None


Answer = Reported | Holds | Trouble | Masked


def client_tag(secret: bytes, run: bytes) -> bytes:
    """Return what tells a client of a run apart, wherever it connects from; 16 bytes.

    It is a function of the client's secret and does not reveal it.

    Example:
        >>> client_tag(bytes(32), bytes(16)).hex()[:8]
        '8bb65841'
    """
    return hashlib.sha256(b"baffle client tag 1\n" + run + secret).digest()[:TAG_BYTES]


def encode_answer(answer: Answer, run: bytes = b"") -> bytes:
    """Return an answer's one encoding.

    Args:
        answer: a report as it was sealed, the others are sealed here.
        run: the run's 16 bytes.
    """
    match answer:
        case Reported(report, evaluation, seal):
            kind = _kind(REPORTED, evaluation)
            return bytes((ANSWER, VERSION, kind)) + seal + _figures(evaluation) + report
        case Masked(evaluation=evaluation, seal=seal):
            kind = _kind(MASKED, evaluation)
            return bytes((ANSWER, VERSION, kind)) + seal + _figures(evaluation) + answer._own()
        case Holds(tag, claim, holding, microseconds, evaluation, advert):
            number = NONE if claim is None else claim
            own = tag + u32(number) + _held(holding) + u32(microseconds) + (advert or b"")
            kind = _kind(HOLDS if advert is None else HOLDS | ADVERTISED, evaluation)
            return _run_sealed(run, kind, _figures(evaluation) + own)
        case Trouble(reason, text, holding):
            own = bytes((CODES[reason],)) + _held(holding) + sized(_cut(text))
            return _run_sealed(run, TROUBLE, own)


def decode_answer(data: bytes, run: bytes = b"") -> Answer:
    """Return the answer that these bytes encode; a report stays encoded.

    Args:
        data: bytes.
        run: the run's 16 bytes. A report's seal is left to who knows plan and tag.

    Raises:
        DecodeError: anything but the one encoding of an answer; names the field.
    """
    reader = Reader("answer", data)
    reader.need(len(data) <= MAX_ANSWER, f"at most {MAX_ANSWER} bytes", len(data))
    code, version, kind = reader.take(3)
    reader.need(code == ANSWER, f"type byte {ANSWER:#04x}", hex(code))
    reader.need(version == VERSION, f"version {VERSION}; upgrade the older side", version)
    seal = reader.take(SEAL_BYTES)
    bare = kind & ~EVALUATED
    reader.need(kind == TROUBLE or bare in KINDS, "a known kind of answer", kind)
    if bare not in (REPORTED, MASKED):
        right = seal == _seal(kind, data[HEAD_BYTES:], run)
        reader.need(right, "the seal of this run over what follows", seal.hex())
    if kind == TROUBLE:
        return _trouble(reader)
    evaluation = _evaluation(reader) if kind & EVALUATED else None
    if bare == MASKED:
        return _masked(reader, evaluation, seal)
    if bare != REPORTED:
        return _holds(reader, evaluation, bool(bare & ADVERTISED))
    reader.need(reader.left <= MAX_REPORT, f"a report of at most {MAX_REPORT} bytes", reader.left)
    return Reported(reader.rest(), evaluation, seal)


def _seal(kind: int, rest: bytes, context: bytes) -> bytes:
    content = bytes((kind,)) + context + rest
    return hashlib.sha256(b"baffle answer 1\n" + content).digest()[:SEAL_BYTES]


def _run_sealed(run: bytes, kind: int, rest: bytes) -> bytes:
    return bytes((ANSWER, VERSION, kind)) + _seal(kind, rest, run) + rest


def _kind(kind: int, evaluation: Evaluation | None) -> int:
    return kind if evaluation is None else kind | EVALUATED


def _figures(evaluation: Evaluation | None) -> bytes:
    if evaluation is None:
        return b""
    right = NONE if evaluation.right is None else evaluation.right
    loss = evaluation.loss.to_bytes(8, "little", signed=True)
    return u32(evaluation.examples) + u32(right) + loss


def _held(holding: Holding | None) -> bytes:
    if holding is None:
        return u32(NONE) + bytes(DIGEST_BYTES)
    return u32(holding.round) + holding.digest


def _holding(reader: Reader) -> Holding | None:
    round_, digest = reader.number(4), reader.take(DIGEST_BYTES)
    if round_ != NONE:
        return Holding(round_, digest)
    reader.need(not any(digest), "no digest where nothing is held", digest.hex())
    return None


def _holds(reader: Reader, evaluation: Evaluation | None, advertised: bool) -> Holds:
    tag, claim = reader.take(TAG_BYTES), reader.number(4)
    holding, microseconds = _holding(reader), reader.number(4)
    advert = reader.take(ADVERT_BYTES) if advertised else None
    reader.end()
    number = None if claim == NONE else claim
    return Holds(tag, number, holding, microseconds, evaluation, advert)


def _masked(reader: Reader, evaluation: Evaluation | None, seal: bytes) -> Masked:
    client, round_, code = reader.number(4), reader.number(4), reader.number(1)
    known = code == NO_REASON or code < len(REASONS)
    reader.need(known, f"a reason below {len(REASONS)}, or {NO_REASON}", code)
    messages = sums.decode_answers(reader)
    reader.end()
    refused = None if code == NO_REASON else REASONS[code]
    return Masked(client, round_, messages, refused, evaluation, seal)


def _evaluation(reader: Reader) -> Evaluation:
    examples, right = reader.number(4), reader.number(4)
    loss = int.from_bytes(reader.take(8), "little", signed=True)
    reader.need(examples >= 1, "an evaluation of at least one example", examples)
    reader.need(abs(loss) <= MAX_LOSS, f"a loss within ±{MAX_LOSS}", loss)
    reader.need(right == NONE or right <= examples, f"at most {examples} right", right)
    return Evaluation(examples, None if right == NONE else right, loss)


def _trouble(reader: Reader) -> Trouble:
    code = reader.number(1)
    reader.need(code < len(REASONS), f"a reason below {len(REASONS)}", code)
    holding, text = _holding(reader), reader.sized("a text", MAX_TEXT)
    reader.end()
    try:
        return Trouble(REASONS[code], text.decode("utf-8"), holding)
    except UnicodeDecodeError:
        reader.need(False, "a text in UTF-8", text[:16])
        raise


def _cut(text: str) -> bytes:
    """Return a text's UTF-8 bytes, cut to the limit between two characters."""
    return text.encode("utf-8", "replace")[:MAX_TEXT].decode("utf-8", "ignore").encode()
