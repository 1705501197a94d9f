"""Small files through a power cut: the old one or the new one, and the new one once it is said."""

import os

import pytest

from baffle.ledger import durable
from tests.powercut import Disk

OLD, NEW = b"what was there before", b"what is there from now on, and longer"


def left(tmp_path, life):
    """Return (said, files) of every power cut in a life."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "old").write_bytes(OLD)
    with Disk(root) as disk:
        life(root, disk.say)
    return [(cut.said, cut.files) for cut in disk.cuts()]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    def life(root, say):
        durable.write(root / "old", NEW)
        say("written")

    found = left(tmp_path, life)
    assert {files["old"] for _, files in found} == {OLD, NEW}
    assert {files["old"] for said, files in found if said} == {NEW}


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_is_there_whole_or_not_at_all(tmp_path, monkeypatch, links):
    def refused(*names):
        raise PermissionError(1, "no second names here")

    if not links:
        monkeypatch.setattr(os, "link", refused)

    def life(root, say):
        durable.write_new(root / "new", NEW)
        say("written")

    found = left(tmp_path, life)
    assert {files.get("new") for _, files in found} == {None, NEW}
    assert {files.get("new") for said, files in found if said} == {NEW}


def test_a_folder_is_there_with_what_is_in_it(tmp_path):
    def life(root, say):
        durable.make_folder(root / "a" / "b")
        durable.write(root / "a" / "b" / "new", NEW)
        say("written")

    found = left(tmp_path, life)
    assert {files.get("a/b/new") for said, files in found if said} == {NEW}
    assert None in {files.get("a/b/new") for _, files in found}


@pytest.mark.parametrize("synced", [False, True])
def test_what_is_not_synced_is_found_out(tmp_path, synced):
    """The cuts themselves: a writer that forgets something is told from one that does not."""

    def life(root, say):
        with (root / "aside").open("wb") as file:
            file.write(NEW)
            file.flush()
            if synced:
                os.fsync(file.fileno())
        (root / "aside").replace(root / "old")
        say("written")

    found = left(tmp_path, life)
    assert OLD in {files["old"] for said, files in found if said}  # the name was not synced
    torn = {files["old"] for _, files in found} - {OLD, NEW}
    assert (b"" in torn, bytes(len(NEW)) in torn, NEW[: len(NEW) // 2] in torn) == (not synced,) * 3


def test_what_is_appended_is_lost_from_its_end(tmp_path):
    def life(root, say):
        with (root / "old").open("ab") as file:
            file.write(NEW)
        say("appended")

    kept = {files["old"] for _, files in left(tmp_path, life)}
    assert {OLD, OLD + NEW, OLD + bytes(len(NEW)), OLD + NEW[: len(NEW) // 2]} <= kept
    assert all(data.startswith(OLD) for data in kept)
