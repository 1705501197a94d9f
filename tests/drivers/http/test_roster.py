"""What a gateway keeps on disk: whole lines, tokens by name, nothing from which one could enrol."""

import json
import os

import pytest

from baffle.drivers.http.enrolment import Enrolment
from baffle.drivers.http.listing import listed
from baffle.drivers.http.roster import Roster
from baffle.errors import ConfigError, LedgerError

SERVER = bytes(range(32))


def test_a_gateway_keeps_its_name(tmp_path):
    first, second = Roster(tmp_path, SERVER), Roster(tmp_path, SERVER)
    assert first.about == second.about
    assert Roster(tmp_path / "other", SERVER).about.name != first.about.name


def test_another_servers_key_is_refused_in_words(tmp_path):
    Roster(tmp_path, SERVER)
    with pytest.raises(ConfigError, match="its devices would refuse them all"):
        Roster(tmp_path, bytes(32))


def test_devices_come_back(tmp_path):
    rows = [(bytes([n]) * 32, bytes([n + 100]) * 32) for n in range(5)]
    for device, token in rows:
        Roster(tmp_path, SERVER).append(Enrolment(token, device), 0.0)
    assert Roster(tmp_path, SERVER).known == rows


@pytest.mark.parametrize("cut", range(1, 30, 7))
def test_a_line_that_was_cut_short_is_gone_and_the_next_one_is_whole(tmp_path, cut):
    roster = Roster(tmp_path, SERVER)
    for n in range(3):
        roster.append(Enrolment(bytes(32), bytes([n]) * 32), 0.0)
    path = tmp_path / "gateway" / "devices.jsonl"
    os.truncate(path, path.stat().st_size - cut)
    again = Roster(tmp_path, SERVER)
    assert [device[0] for device, _ in again.known] == [0, 1]
    again.append(Enrolment(bytes(32), bytes([9]) * 32), 0.0)
    assert [device[0] for device, _ in Roster(tmp_path, SERVER).known] == [0, 1, 9]


def test_a_line_that_is_none_is_named(tmp_path):
    roster = Roster(tmp_path, SERVER)
    roster.append(Enrolment(bytes(32), bytes(32)), 0.0)
    path = tmp_path / "gateway" / "devices.jsonl"
    path.write_text('{"device": "00"}\n' + path.read_text())
    with pytest.raises(LedgerError, match="line 1: expected a device"):
        _ = Roster(tmp_path, SERVER).known


def test_an_unfinished_line_is_the_gateways_alone(tmp_path):
    """What prints tokens or lists devices may look while the gateway is in the middle of a line."""
    Roster(tmp_path, SERVER).append(Enrolment(bytes(32), bytes(32)), 7.0)
    path = tmp_path / "gateway" / "devices.jsonl"
    path.write_bytes(path.read_bytes() + b'{"device": "00')
    before = path.read_bytes()
    Roster(tmp_path, SERVER).issue(None)
    assert [device.enrolled for device in listed(tmp_path)] == [7]
    assert path.read_bytes() == before


def test_a_full_disk_leaves_nothing_of_a_line(tmp_path, monkeypatch):
    import baffle.drivers.http.roster as module

    roster = Roster(tmp_path, SERVER)
    roster.append(Enrolment(bytes(32), b"a" * 32), 0.0)

    def full(file, data):
        file.write(data[:20])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write_all", full)
        with pytest.raises(OSError, match="No space"):
            roster.append(Enrolment(bytes(32), b"b" * 32), 0.0)
    roster.append(Enrolment(bytes(32), b"c" * 32), 0.0)
    assert [d[:1] for d, _ in Roster(tmp_path, SERVER).known] == [b"a", b"c"]


def test_a_token_is_known_at_once_to_a_gateway_that_runs(tmp_path):
    running, other = Roster(tmp_path, SERVER), Roster(tmp_path, SERVER)
    token = other.issue(until=1234.5)
    assert token.gateway == running.about.name
    assert running.issued(token.public).until == 1234.5
    assert running.issued(bytes(32)) is None
    assert running.issue(None).secret != token.secret


def test_the_folder_holds_nothing_that_a_token_could_be_made_of(tmp_path):
    roster = Roster(tmp_path, SERVER)
    token = roster.issue(None)
    roster.append(Enrolment(token.public, bytes(32)), 0.0)
    private = (token.secret, token.key.private_bytes_raw())
    for path in (p for p in tmp_path.rglob("*") if p.is_file()):
        for secret in private:
            assert secret not in path.read_bytes()
            assert secret.hex() not in path.read_text() + path.name


def test_the_files_are_json(tmp_path):
    roster = Roster(tmp_path, SERVER)
    roster.append(Enrolment(b"t" * 32, b"d" * 32), 12.6)
    (row,) = (tmp_path / "gateway" / "devices.jsonl").read_text().splitlines()
    assert json.loads(row) == {"device": "64" * 32, "token": "74" * 32, "at": 13}
