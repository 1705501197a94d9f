"""Snapshot files: what they hold, how they come into being, what is refused."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from baffle.errors import LedgerError, LedgerFull, LedgerTampered
from baffle.ledger import Ledger
from baffle.updates.state import TrainState


def test_a_state_comes_back_bit_for_bit(run, state_of):
    with Ledger.open(run) as ledger:
        assert ledger.snapshots == (0, 40, 80)
        for round in ledger.snapshots:
            found, expected = ledger.load(round), state_of(round)
            assert (found.round, found.updates) == (round, expected.updates)
            assert found.slots.keys() == expected.slots.keys()
            for slot, arrays in expected.slots.items():
                assert found.slots[slot].keys() == arrays.keys()
                for name, array in arrays.items():
                    assert found.slots[slot][name].tobytes() == array.tobytes()
                    assert found.slots[slot][name].dtype == np.float32


def test_shapes_names_and_special_values(tmp_path):
    arrays = {
        "scalar": np.float32(-0.0),
        "empty": np.zeros((3, 0), np.float32),
        "a/b.ü": np.float32([np.nan, np.inf, -np.inf, 1e-45]),
        "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "big_endian": np.arange(3, dtype=">f4"),
    }
    with Ledger.create(tmp_path, b"") as ledger:
        ledger.save(TrainState(0, {"weights": arrays}))
        found = ledger.load(0).weights
    for name, array in arrays.items():
        assert found[name].shape == np.shape(array)
        assert found[name].tobytes() == np.asarray(array, "<f4").tobytes()


def test_the_file_is_plain_safetensors(run, state_of):
    path = run / "snapshots" / "00000040.safetensors"
    assert set(load_file(path)) == {"weights/a", "weights/b", "ema/a"}
    with safe_open(path, "numpy") as file:
        digest = state_of(40).digest().hex()
        assert file.metadata() == {
            "format": "1",
            "round": "40",
            "updates": "36",
            "digest": digest,
        }
    size = int.from_bytes(path.read_bytes()[:8], "little")
    assert size % 8 == 0
    assert json.loads(path.read_bytes()[8 : 8 + size])["weights/b"]["shape"] == [1]


def test_equal_states_give_equal_files(run, tmp_path, state_of):
    with Ledger.create(tmp_path / "other", b"other") as ledger:
        ledger.save(state_of(0))
    name = "snapshots/00000000.safetensors"
    assert (tmp_path / "other" / name).read_bytes() == (run / name).read_bytes()


def test_nearest(run):
    with Ledger.open(run) as ledger:
        wanted = (0, 1, 39, 40, 79, 80, 100, 2**70)
        assert [ledger.nearest(r) for r in wanted] == [0, 0, 0, 40, 40, 80, 80, 80]
        with pytest.raises(LedgerError, match="the first one is of round 0"):
            ledger.nearest(-1)


def test_a_run_without_snapshots(tmp_path):
    with (
        Ledger.create(tmp_path, b"") as ledger,
        pytest.raises(LedgerError, match="none at all"),
    ):
        ledger.nearest(0)


@pytest.mark.parametrize("round", [-1, 1, 41, 101, 2**70])
def test_a_snapshot_that_is_not_there(run, round):
    with Ledger.open(run) as ledger, pytest.raises(LedgerError, match="no snapshot of round"):
        ledger.load(round)


def test_only_the_state_that_was_stored_can_be_saved(run, state_of):
    with Ledger.open(run, write=True) as ledger:
        for round in (0, 7):
            other = TrainState(round, state_of(round + 1).slots)
            with pytest.raises(LedgerError, match=f"state of round {round} is not the one"):
                ledger.save(other)
        with pytest.raises(LedgerError, match="ends with round 100"):
            ledger.save(state_of(101))
        ledger.verify()


@pytest.mark.parametrize("slots", [{"empty": {}}, {"a/b": {"w": np.zeros(1, np.float32)}}])
def test_slots_that_would_not_come_back(tmp_path, slots):
    with Ledger.create(tmp_path, b"") as ledger:
        with pytest.raises(LedgerError, match="cannot hold the slot"):
            ledger.save(TrainState(0, slots))
        assert ledger.snapshots == ()


def test_saving_again_repairs_a_damaged_file(run, state_of):
    path = run / "snapshots" / "00000040.safetensors"
    path.write_bytes(b"damaged")
    with Ledger.open(run, write=True) as ledger:
        with pytest.raises(LedgerTampered, match=r"snapshot 40: 00000040\.safetensors differs"):
            ledger.load(40)
        ledger.save(state_of(40))
        assert ledger.snapshots == (0, 40, 80)
        ledger.verify()


def test_a_crash_between_file_and_record_leaves_an_orphan_that_is_overwritten(run, state_of):
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baffle.ledger.records.insert", crash)
        with Ledger.open(run, write=True) as ledger, pytest.raises(KeyboardInterrupt):
            ledger.save(state_of(60))
    orphan = run / "snapshots" / "00000060.safetensors"
    assert orphan.exists()
    orphan.write_bytes(b"half of it")
    with Ledger.open(run, write=True) as ledger:
        ledger.verify()
        assert ledger.nearest(70) == 40
        ledger.save(state_of(60))
        assert ledger.nearest(70) == 60
        ledger.verify()


def test_a_disk_that_fills_up_leaves_no_file(run, state_of, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Ledger.open(run, write=True) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", refuse)
            with pytest.raises(LedgerFull):
                ledger.save(state_of(60))
        assert len(list((run / "snapshots").iterdir())) == 3
        assert ledger.snapshots == (0, 40, 80)
        ledger.verify()
        ledger.save(state_of(60))


def test_a_well_formed_file_with_another_state(run, state_of):
    """Hash, record and seal agree; the digest in the row does not."""
    from baffle.ledger import records, snapshot

    sha256 = snapshot.write(run / "snapshots", TrainState(40, state_of(41).slots))
    with Ledger.open(run, write=True) as ledger:
        record = records.Record(40, sha256, state_of(40).digest(), ledger.link(40))
        records.insert(ledger._database, record)
        for check in (ledger.verify, lambda: ledger.load(40)):
            with pytest.raises(LedgerTampered, match="holds another state") as caught:
                check()
            assert caught.value.round == 40


NOTHING = b"nothing"
DOUBLES = save({"weights/a": np.zeros(2, np.float64)}, {"format": "1"})
UNKNOWN = save({"weights/a": np.zeros(2, np.float32)}, {"format": "2"})


@pytest.mark.parametrize("content", [NOTHING, DOUBLES, UNKNOWN])
def test_a_file_that_is_no_snapshot(run, state_of, content):
    from baffle.ledger import records

    (run / "snapshots" / "00000040.safetensors").write_bytes(content)
    with Ledger.open(run, write=True) as ledger:
        sha256 = hashlib.sha256(content).digest()
        record = records.Record(40, sha256, state_of(40).digest(), ledger.link(40))
        records.insert(ledger._database, record)
        with pytest.raises(
            LedgerTampered, match=r"cannot be read|other numbers|not of snapshot format"
        ):
            ledger.load(40)
