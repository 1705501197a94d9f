"""Every error of the tree comes back as itself; nothing else can be made of bytes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baffle import errors
from baffle.drivers.worker.replies import decode_error, encode_error
from baffle.errors import BaffleError, LedgerTampered, Refused, WorkerError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, BaffleError)
]


def make(kind):
    if issubclass(kind, Refused):
        return kind("stale", "why")
    if issubclass(kind, LedgerTampered):
        return kind(3, "why")
    return kind("why")


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_the_tree_comes_back_as_itself(kind):
    found = decode_error(encode_error(make(kind), "testing"), " and more")
    assert type(found) is kind
    assert str(found) == "why and more"
    assert getattr(found, "reason", "stale") == "stale"
    assert getattr(found, "round", 3) == 3


def test_a_users_own_error_comes_back_as_the_nearest_of_the_tree():
    class Mine(errors.DataError):
        pass

    assert type(decode_error(encode_error(Mine("why"), "testing"))) is errors.DataError
    assert type(decode_error(encode_error(WorkerError("why"), "testing"))) is WorkerError


@given(st.text() | st.just("\U0001f600" * 99_999))
def test_a_message_of_any_length_fits(text):
    data = encode_error(Refused(text, text), "testing")
    assert len(data) < 1 << 17
    assert text.startswith(str(decode_error(data)))


@given(st.binary(max_size=60))
@example(b'{"error": "BaffleError", "message": 1}')
@example(b'{"error": "Refused", "message": "", "reason": 1}')
@example(b'{"error": "LedgerTampered", "message": "", "round": "1"}')
@example(b'{"error": "SystemExit", "message": "x"}')
@example(b'{"error": ["BaffleError"], "message": "x"}')
@example(b"[" * 99_999)
def test_other_bytes_are_an_error_of_the_worker(data):
    assert type(decode_error(data)) is WorkerError
