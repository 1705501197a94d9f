"""The first part of a request: for which worker it is, how long it may take, whom to watch."""

from __future__ import annotations

import json

from baffle.drivers.worker.orders import MAX_S
from baffle.errors import DecodeError

MAX_TERMS = 4096
ERROR_LIMIT = 1 << 17  # bytes of an error or of terms, beside the limit of requests and answers


def encode_terms(fingerprint: str, patience: float, watch_pid: int | None) -> bytes:
    """Write the terms down.

    Args:
        fingerprint: of the orders that the worker is to have.
        patience: seconds that the caller waits, above 0.
        watch_pid: the process after whose end the worker ends, or None.

    Returns:
        JSON.

    Example:
        >>> decode_terms(encode_terms("ab", 1.5, None))
        ('ab', 1.5, None)
    """
    return json.dumps([fingerprint, float(patience), watch_pid]).encode()


def decode_terms(data: bytes) -> tuple[str, float, int | None]:
    """Read what `encode_terms` wrote; raises DecodeError for anything else."""
    if len(data) > MAX_TERMS:
        raise DecodeError(f"a request's terms have at most {MAX_TERMS} bytes, got {len(data)}")
    try:
        fingerprint, patience, watch_pid = json.loads(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise DecodeError("a request's terms are three JSON values") from error
    good = isinstance(fingerprint, str) and isinstance(patience, float) and 0 < patience < MAX_S
    if not good or not (watch_pid is None or (type(watch_pid) is int and watch_pid > 0)):
        raise DecodeError("a request's terms are a fingerprint, seconds and a process id or null")
    return fingerprint, patience, watch_pid
