"""Parts on disk are the parts, and no more than one of them is held."""

import errno
import gc
from functools import partial
from pathlib import Path

import pytest

from baffle.drivers.device.frames import receive, send
from baffle.drivers.http import wire
from baffle.drivers.spool import Spool

PARTS = [b"ask", b"", b"0123456789", b"x" * 5000]


def open_files():
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_parts_are_what_they_were(tmp_path):
    spool = Spool.of(PARTS, tmp_path)
    assert list(spool) == PARTS
    assert [len(spool), spool[0], spool[-1]] == [4, PARTS[0], PARTS[-1]]
    assert [list(spool[1:]), list(spool[1:][1:]), list(spool[3:2])] == [PARTS[1:], PARTS[2:], []]
    assert not list(Spool.of([], tmp_path)[1:])
    with pytest.raises(IndexError):
        spool[4]
    with pytest.raises(ValueError, match="parts in a row"):
        spool[::2]


def test_its_file_has_no_name_and_goes_with_the_last_holder(tmp_path):
    before = open_files()
    spool = Spool.of(PARTS, tmp_path)
    assert not list(tmp_path.iterdir())
    part = spool[1:]
    del spool
    assert list(part) == PARTS[1:]
    del part
    assert open_files() == before


def test_a_part_is_written_before_the_next_is_read(tmp_path):
    alive = 0

    class Part(bytes):
        def __del__(self):
            nonlocal alive
            alive -= 1

    def parts():
        nonlocal alive
        for at in range(5):
            alive += 1
            assert alive <= 2  # this one, and the one that a loop's name still holds
            yield Part(bytes([at]))

    assert len(Spool.of(parts(), tmp_path)) == 5


@pytest.mark.parametrize("keep", [list, None])
def test_a_body_and_a_pipe_are_read_into_either(tmp_path, keep):
    keep = keep or partial(Spool.of, folder=tmp_path)
    body = wire.encode_parts(wire.encode_ask(7, PARTS))
    with (tmp_path / "body").open("w+b") as file:
        file.write(body)
        file.seek(0)
        number, found = wire.decode_ask(wire.read_parts(file.read, len(body), keep))
        assert (number, list(found)) == (7, PARTS)
        file.seek(0)
        send(file, PARTS)
        file.seek(0)
        assert list(receive(file, keep)) == PARTS


def test_a_full_disk_is_an_error_of_the_system(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(OSError, match="No space"):
        Spool.of(PARTS, tmp_path)
