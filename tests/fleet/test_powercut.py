"""A client's folder through a power cut at each write: it goes on from there to the same digest."""

from __future__ import annotations

import pytest

from baffle.fleet import FolderStore, Kept
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


def goes_on(folder, history, cut):
    """Start again from what is left; returns the round that it stands at."""
    store, genesis = FolderStore(folder), history.genesis
    kept_what_was_said(store, history, cut)
    found = store.load(genesis.run)
    if found is None:
        store.begin(genesis)
    copy = found[0] if found else None
    stands = copy.state.round if copy and copy.state else None
    if stands is None:
        copy, rows = history.replica(ROUNDS), ()  # as the server sends it
    else:
        assert copy.digest == copy.state.digest() == history.digests[stands], cut.how
        rows = history.rows[stands:]
        for row in rows:
            copy = copy.followed(row)
    assert copy.digest == history.digests[ROUNDS], cut.how
    store.save(copy, Kept(b"data", 17), rows)
    again, _ = FolderStore(folder).load(genesis.run)
    assert again.hashed().digest == history.digests[ROUNDS], cut.how
    return stands


def kept_what_was_said(store, history, cut):
    """A key or a wallet that has been acted on is there, and no older one."""
    run = history.genesis.run
    assert not cut.said or store.key(run) == KEY, cut.how
    last = max((at for what, at in cut.said[1:] if what == "wallet"), default=-1)
    allowed = WALLETS[max(last, 0) : last + 2] + ([None] if last < 0 else [])
    assert store.wallet(run) in allowed, cut.how
