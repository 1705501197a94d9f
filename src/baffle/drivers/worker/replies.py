"""Errors as bytes: their class by name, their message, and nothing that could run."""

from __future__ import annotations

import json
from typing import Any

from baffle import errors
from baffle.errors import BaffleError, LedgerTampered, Refused, WorkerError

MAX_MESSAGE = 4096  # characters


class Ended(WorkerError):
    """A worker ended without a word, while it started or answered; worth another try."""


def encode_error(error: BaseException, what: str) -> bytes:
    """Write an error down for the process that asked.

    Args:
        error: what was raised.
        what: what was being done, put before the message of an unforeseen error.

    Returns:
        JSON. A BaffleError keeps its class (or the nearest that `errors.py` has); anything else
        becomes a WorkerError that names its type.

    Example:
        >>> decode_error(encode_error(errors.DataError("no digits"), "answering"))
        DataError('no digits')
    """
    values: dict[str, Any] = {"error": _name(error), "message": str(error)[:MAX_MESSAGE]}
    if not isinstance(error, BaffleError):
        values["message"] = f"{what}: {type(error).__name__}: {error}"[:MAX_MESSAGE]
    if isinstance(error, Refused):
        values["reason"] = error.reason[:MAX_MESSAGE]
    if isinstance(error, LedgerTampered):
        values["round"] = error.round
    return json.dumps(values).encode()


def decode_error(data: bytes, also: str = "") -> BaffleError:
    """The error that `encode_error` wrote, with `also` after its message."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        values = None
    if not _is_error(values):
        return WorkerError(f"the worker sent an error that cannot be read{also}")
    message = values["message"] + also
    kind = _KINDS.get(values["error"], WorkerError)
    if issubclass(kind, Refused):
        return kind(values.get("reason", ""), message)
    if issubclass(kind, LedgerTampered):
        return kind(values.get("round", 0), message)
    return kind(message)


def _name(error: BaseException) -> str:
    known = (kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _KINDS)
    return next(known, WorkerError.__name__)


def _is_error(values: Any) -> bool:
    if not isinstance(values, dict):
        return False
    texts = [values.get("error"), values.get("message"), values.get("reason", "")]
    return all(isinstance(text, str) for text in texts) and isinstance(values.get("round", 0), int)


_KINDS: dict[str, type[BaffleError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, BaffleError)
}
_KINDS.setdefault(WorkerError.__name__, WorkerError)
