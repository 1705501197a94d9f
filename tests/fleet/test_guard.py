"""A client behind its guard: it answers its server and nobody else."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.errors import DecodeError
from baffle.fleet import FolderStore, Guard
from baffle.protocol.exchange import (
    Ask,
    Holds,
    Trouble,
    decode_answer,
    decode_ask,
    encode_ask,
)
from baffle.protocol.exchange.signed import Pin, public_bytes, sign_ask
from tests.fleet.world import SIGNATURE, client_of, first_state, genesis, settings_of

SERVER, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
NODE = 41


@pytest.fixture
def run():
    settings = settings_of()
    return genesis(settings, SIGNATURE, first_state(settings).digest())


@pytest.fixture
def hello(run):
    return encode_ask(Ask(run.run, 0, genesis=run.to_bytes()))


def guarded(folder, pinned=None):
    store = FolderStore(folder)
    return Guard(client_of(0, store), NODE, Pin(pinned), store)


def asked(guard, ask, key=SERVER, node=NODE):
    data = guard.handle([sign_ask(ask, node, key)])
    try:
        answer = decode_answer(data, decode_ask(ask).run)
    except DecodeError:  # before an ask is opened nobody knows of which run it is
        answer = decode_answer(data)
    return answer.reason if isinstance(answer, Trouble) else answer


def test_it_answers_its_server(tmp_path, hello):
    assert isinstance(asked(guarded(tmp_path), hello), Holds)


def test_it_does_not_answer_what_was_meant_for_another(tmp_path, hello):
    assert asked(guarded(tmp_path), hello, node=NODE + 1) == "forged"


def test_the_first_key_of_a_run_stays_its_key(tmp_path, hello):
    assert isinstance(asked(guarded(tmp_path), hello), Holds)
    assert asked(guarded(tmp_path), hello, STRANGER) == "forged"  # also after a restart
    assert isinstance(asked(guarded(tmp_path), hello), Holds)


def test_a_refused_ask_leaves_no_key(tmp_path, run, hello):
    assert asked(guarded(tmp_path), encode_ask(Ask(run.run, 0)), STRANGER) == "run"
    assert isinstance(asked(guarded(tmp_path), hello), Holds)


def test_a_configured_key_is_the_only_one(tmp_path, hello):
    guard = guarded(tmp_path, public_bytes(SERVER))
    assert asked(guard, hello, STRANGER) == "forged"
    assert not list(tmp_path.iterdir())
    assert isinstance(asked(guard, hello), Holds)


@pytest.mark.parametrize("parts", [[], [b""], [bytes(95)], [bytes(96)], [bytes(300)]])
def test_bytes_that_are_no_signed_ask(tmp_path, parts):
    answer = decode_answer(guarded(tmp_path).handle(parts))
    assert answer.reason in ("decode", "forged")
    assert answer.holding is None
