"""A comparison's folder: torn lines, other questions, two processes at once."""

import json

import pytest

from baffle.drivers.compare import store as store_module
from baffle.drivers.compare.store import MANIFEST, RESULTS, Store, read_lines, read_manifest
from baffle.errors import LedgerError, LedgerLocked
from tests.compare.made import comparison

LINES = [{"cell": "a pilot", "contender": "a"}, {"cell": "a run key 0", "contender": "a"}]


def filled(folder):
    with Store(folder, comparison()) as store:
        for line in LINES:
            store.add(line)


def test_lines_come_back(tmp_path):
    filled(tmp_path)
    assert list(read_lines(tmp_path).values()) == LINES
    with Store(tmp_path, comparison()) as store:
        assert list(store.lines) == ["a pilot", "a run key 0"]


def test_a_line_that_a_kill_cut_short_is_dropped_and_its_cell_runs_again(tmp_path):
    filled(tmp_path)
    whole = (tmp_path / RESULTS).read_bytes()
    for cut in (2, 10, len(whole) - len(json.dumps(LINES[0], sort_keys=True)) - 2):
        (tmp_path / RESULTS).write_bytes(whole[:-cut])
        with Store(tmp_path, comparison()) as store:
            assert list(store.lines) == ["a pilot"]
            store.add(LINES[1])
        assert list(read_lines(tmp_path).values()) == LINES


@pytest.mark.parametrize("damage", [b'{"cell: 1}', b"[1, 2]", b'{"kind": "run"}', b"\xff", b""])
def test_a_damaged_line_before_the_last_is_named_and_nothing_is_lost(tmp_path, damage):
    filled(tmp_path)
    first, *rest = (tmp_path / RESULTS).read_bytes().splitlines(keepends=True)
    whole = b"".join([first, damage + b"\n", *rest])
    (tmp_path / RESULTS).write_bytes(whole)
    with pytest.raises(LedgerError, match=rf"{RESULTS}:2 is damaged"):
        Store(tmp_path, comparison())
    assert (tmp_path / RESULTS).read_bytes() == whole


def test_a_folder_that_is_whole_is_not_written_to(tmp_path, monkeypatch):
    filled(tmp_path)
    monkeypatch.setattr(store_module, "write", None)
    with Store(tmp_path, comparison()) as store:
        assert len(store.lines) == 2


@pytest.mark.parametrize(
    "other", [{"baffle": "0.0.9"}, {"torch": "1.0"}, {"settings": "0123456789ab"}, None]
)
def test_another_programs_results_are_not_gone_on_with(tmp_path, other):
    filled(tmp_path)
    found = read_manifest(tmp_path)
    begun_by = found.pop("program")
    if other:
        found["program"] = begun_by | other
    (tmp_path / MANIFEST).write_text(json.dumps(found))
    with pytest.raises(LedgerError, match="another program"):
        Store(tmp_path, comparison())


def test_another_question_is_not_answered_in_the_same_folder(tmp_path):
    filled(tmp_path)
    with pytest.raises(LedgerError, match="another comparison"):
        Store(tmp_path, comparison(budget=2000.0))
    assert read_manifest(tmp_path) == comparison().manifest()


def test_only_one_process_at_a_time(tmp_path):
    with Store(tmp_path, comparison()), pytest.raises(LedgerLocked, match="another process"):
        Store(tmp_path, comparison())
    filled(tmp_path)  # the refused one left no lock behind


@pytest.mark.parametrize("damage", ["", "[]", "{"])
def test_a_damaged_manifest_is_named(tmp_path, damage):
    filled(tmp_path)
    (tmp_path / MANIFEST).write_text(damage)
    with pytest.raises(LedgerError, match=MANIFEST):
        Store(tmp_path, comparison())
