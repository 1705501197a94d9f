"""A device's client where a library OS stands in for the kernel: what Gramine does not have."""

import errno
import mmap
import os
import resource

import numpy as np
import pytest

from baffle.drivers import resident
from baffle.drivers.device.data import examples_of
from baffle.drivers.fleet.identity import own_secret
from baffle.drivers.http.keys import Keys
from baffle.ledger import durable
from tests.backends.onnx.test_manifest import MANIFEST


def refuse(monkeypatch, module, name, number):
    def no(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, name, no)


class NoMap(mmap.mmap):
    """A map of a file of the host's, which an enclave refuses."""

    def __new__(cls, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM, errno.ENOTSUP])
def test_keys_are_made_where_a_file_has_one_name_only(tmp_path, monkeypatch, number):
    refuse(monkeypatch, os, "link", number)
    secret, public = own_secret(tmp_path / "state"), Keys(tmp_path / "keys").public
    assert (own_secret(tmp_path / "state"), Keys(tmp_path / "keys").public) == (secret, public)
    with pytest.raises(FileExistsError):
        durable.write_new(tmp_path / "state" / "secret", b"another")
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"secret"}


def test_a_disk_that_fails_is_not_taken_for_one_without_links(tmp_path, monkeypatch):
    refuse(monkeypatch, os, "link", errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        durable.write_new(tmp_path / "secret", b"mine")
    assert not list(tmp_path.iterdir())


def test_the_peak_is_what_gramine_calls_it(tmp_path, monkeypatch):
    refuse(monkeypatch, resource, "getrusage", errno.ENOSYS)
    status = tmp_path / "status"
    status.write_text("VmPeak:\t  204800 kB\n")
    monkeypatch.setattr(resident, "STATUS", status)
    assert resident.peak_mib() == 200
    status.write_text("Name:\tpython\nVmPeak:\t  204800 kB\nVmHWM:\t   76800 kB\n")
    assert resident.peak_mib() == 75


def test_data_that_cannot_be_mapped_are_read(tmp_path, monkeypatch):
    x, y = np.arange(15, dtype=np.float32).reshape(5, 3), np.arange(5)
    np.save(tmp_path / "input.npy", x)
    np.save(tmp_path / "target.npy", y)
    mapped = examples_of(tmp_path, MANIFEST)
    monkeypatch.setattr(mmap, "mmap", NoMap)
    read = examples_of(tmp_path, MANIFEST)
    assert not any(isinstance(a, np.memmap) for a in read.arrays.values())
    assert read.fingerprint == mapped.fingerprint
