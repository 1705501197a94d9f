"""How long an answer may be: no shorter than the longest that a run's settings allow."""

from types import SimpleNamespace

import pytest

from baffle.config import resolve
from baffle.drivers.build import genesis, policy
from baffle.drivers.fleet.hosting import AROUND, longest_answer
from baffle.drivers.flower.server import _transport
from baffle.protocol.codec import report_size
from baffle.protocol.contribution import Form
from baffle.protocol.exchange import Evaluation, Masked, Reported, encode_answer
from baffle.secagg import SecureSpec, parameters
from baffle.secagg.opening import answer_size
from baffle.secagg.spec import MOST_NEIGHBOURS
from baffle.secagg.wire import HASH_BYTES, SEALED_BYTES, TAG_BYTES
from tests.fleet.world import SIGNATURE, first_state

EVALUATION = Evaluation(2**31, 2**31, 2**31 - 1)
HEAD = 2 + TAG_BYTES  # of a secure sum's message


def settings_of(clients, directions, **secure):
    return resolve(
        {
            "federation": {"clients": clients, "participation": 1.0},
            "probe": {"num_directions": directions, "num_local_steps": 2},
            "quantisation": {"bits": 16},
            "update": {"step_size": 0.01},
            "secure": secure,
        }
    )


def longest(*messages):
    return len(encode_answer(Masked(1, 1, tuple(map(bytes, messages)), None, EVALUATION)))


def sizes(settings):
    """Return the bytes of both answers of a secure sum of all clients, as they are laid out."""
    spec = genesis(settings, SIGNATURE, bytes(32))
    group = parameters(settings.federation.clients, spec.secure)
    plan = policy(settings, SIGNATURE).plan(spec.run, 0, bytes(32), None)
    k, lanes = group.neighbours, Form(plan, spec.privacy, group).lanes
    masked = longest(HEAD + lanes.size(group.members))
    share = HEAD + 2 * HASH_BYTES + SEALED_BYTES * k
    return masked, longest(HEAD + answer_size(k, k), share), k


@pytest.mark.parametrize(
    ("clients", "directions"), [(3, 16), (3, 4096), (33, 64), (100, 64), (1000, 16), (16384, 64)]
)
def test_a_secure_sums_answers_fit(clients, directions):
    settings = settings_of(clients, directions, sums=True)
    masked, opened, _ = sizes(settings)
    most = longest_answer(settings)
    assert max(masked, opened) <= most
    assert most <= 8 * max(masked, opened) + AROUND  # and not much more may come


def test_so_do_those_of_a_group_with_next_to_the_most_neighbours():
    settings = settings_of(MOST_NEIGHBOURS + 1, 16, sums=True, collusion=0.3, dropout=0.3)
    _, opened, neighbours = sizes(settings)
    assert MOST_NEIGHBOURS - 64 < neighbours <= MOST_NEIGHBOURS
    assert opened <= longest_answer(settings) < 1.2 * opened


def test_a_report_fits():
    settings = settings_of(100, 64)
    report = bytes(report_size(128, 16))
    assert len(encode_answer(Reported(report, EVALUATION))) <= longest_answer(settings)


def test_flowers_network_takes_the_longest():
    """More than a report's length: shares for 42 neighbours are, and were refused once."""
    settings = settings_of(100, 64, sums=True)
    server = SimpleNamespace(state=first_state(settings))
    run = SimpleNamespace(
        settings=settings,
        coordinator=SimpleNamespace(server=server),
        fleet=SimpleNamespace(patience=1.0),
    )
    found = _transport(SimpleNamespace(), run).grid._max_reply
    assert found >= sizes(settings)[1] > report_size(128, 16) + AROUND
    assert parameters(100, SecureSpec()).neighbours == 42
