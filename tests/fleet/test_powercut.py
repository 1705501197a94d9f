"""A client's folder through a power cut at each write: it goes on from there to the same digest."""

from __future__ import annotations

import hashlib

import pytest

from baffle.fleet import FolderStore, Kept
from baffle.ledger import snapshot
from baffle.protocol.exchange import Ask, SnapshotHeader
from tests.powercut import Disk, hasty  # noqa: F401 (a fixture)
from tools.fuzz.draws import Draws
from tools.fuzz.history import make

pytestmark = pytest.mark.usefixtures("hasty")

ROUNDS = 5
WALLETS = [b"wallet %d " % n + bytes([n]) * 300 for n in range(3)]
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def history():
    return make(Draws(7), ROUNDS)


def life(folder, history, say, rows_between):
    """Live through a run; a state is written when it comes, and again where there is no tail."""
    store, run = FolderStore(folder), history.genesis.run
    store.begin(history.genesis)
    store.keep_key(run, KEY)
    say("key")
    for at, wallet in enumerate(WALLETS):
        store.keep_wallet(run, wallet)
        say(("wallet", at))
    store.save(history.replica(0), Kept(b"data", 17))
    for round in range(1, ROUNDS + 1):
        rows = history.rows[round - 1 : round] if round in rows_between else ()
        store.save(history.replica(round), Kept(b"data", 17), rows)


def life_on_disk(folder, history, say):
    """The same where the state lies on the disk, and a round writes the next one."""
    store, run = FolderStore(folder, on_disk=True), history.genesis.run
    copy = store.begin(history.genesis)
    store.keep_key(run, KEY)
    say("key")
    copy = copy.catch_up(*sent(history, 0))
    store.save(copy, Kept(b"data", 17))
    for row in history.rows:
        copy = copy.followed(row)
        store.save(copy, Kept(b"data", 17), (row,))


def test_a_state_on_the_disk_goes_on_to_the_same_digest(tmp_path, history):
    (tmp_path / "life").mkdir()
    with Disk(tmp_path / "life") as disk:
        life_on_disk(tmp_path / "life" / "state", history, disk.say)
    stood = set()
    for number, cut in enumerate(disk.cuts()):
        folder = cut.restore(tmp_path / "left" / str(number)) / "state"
        stood.add(goes_on(folder, history, cut, on_disk=True))
    assert {None, 0, 2, 5} <= stood


@pytest.mark.parametrize("rows_between", [(1, 2, 4, 5), ()], ids=["tail", "states"])
def test_what_is_left_goes_on_to_the_same_digest(tmp_path, history, rows_between):
    (tmp_path / "life").mkdir()
    with Disk(tmp_path / "life") as disk:
        life(tmp_path / "life" / "state", history, disk.say, rows_between)
    stood = set()
    for number, cut in enumerate(disk.cuts()):
        folder = cut.restore(tmp_path / "left" / str(number)) / "state"
        stood.add(goes_on(folder, history, cut))
    assert {None, 0, 2, 5} <= stood  # some lost all, some something, some nothing


def goes_on(folder, history, cut, on_disk=False):
    """Start again from what is left; returns the round that it stands at."""
    store, genesis = FolderStore(folder, on_disk), history.genesis
    kept_what_was_said(store, history, cut)
    found = store.load(genesis.run)
    copy = found[0] if found else store.begin(genesis)
    stands = copy.state.round if copy.state else None
    if stands is None:
        ask, chunks = sent(history, ROUNDS)
    else:
        assert copy.digest == copy.state.digest() == history.digests[stands], cut.how
        ask, chunks = Ask(genesis.run, 0, tail=history.rows[stands:]), ()
    copy = copy.catch_up(ask, chunks)
    assert copy.digest == history.digests[ROUNDS], cut.how
    store.save(copy, Kept(b"data", 17), ask.tail)
    again, _ = FolderStore(folder).load(genesis.run)
    assert again.hashed().digest == history.digests[ROUNDS], cut.how
    return stands


def sent(history, round):
    """Return an ask with a whole state, and its chunks."""
    data = snapshot.encode(history.states[round])
    header = SnapshotHeader(round, len(data), hashlib.sha256(data).digest(), 1)
    return Ask(history.genesis.run, 0, snapshot=header), (data,)


def kept_what_was_said(store, history, cut):
    """A key or a wallet that has been acted on is there, and no older one."""
    run = history.genesis.run
    assert not cut.said or store.key(run) == KEY, cut.how
    last = max((at for what, at in cut.said[1:] if what == "wallet"), default=-1)
    allowed = WALLETS[max(last, 0) : last + 2] + ([None] if last < 0 else [])
    assert store.wallet(run) in allowed, cut.how
