"""Workers that are killed, stopped or replaced, and callers that are no callers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, answer_challenge, deliver_challenge
from pathlib import Path

import pytest

from baffle.drivers.worker import log
from baffle.drivers.worker.frames import Kind, receive, send
from baffle.drivers.worker.place import Place
from baffle.drivers.worker.processes import end, identity
from baffle.drivers.worker.state import read_state
from baffle.drivers.worker.terms import encode_terms
from baffle.errors import WorkerError
from tests.drivers.worker.conftest import processes_of, wait_until


def test_a_killed_worker_leaves_a_socket_that_the_next_call_copes_with(folder):
    pid = folder.pid()
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: identity(pid) is None)
    socket = Path(read_state(Place(folder.path)).address)
    assert socket.exists()
    assert folder.pid() != pid
    assert not socket.exists()
    assert folder.ask(b"count") == b"2"


def test_a_worker_killed_midway_is_replaced_and_asked_again(folder, tmp_path):
    pid = folder.pid()
    assert folder.ask(b"kill once", str(tmp_path / "seen").encode()) == b"answered"
    assert (tmp_path / "seen").read_text() == f"{pid}"


def test_a_request_that_kills_every_worker_is_an_error_after_two(folder):
    folder.ask(b"print", b"3")
    with pytest.raises(WorkerError, match="ended twice before it had answered"):
        folder.ask(b"kill")
    assert (folder.path / "worker.log").read_text().count(log.START) == 2


def test_a_killed_worker_whose_child_lives_on(folder):
    child = int(folder.ask(b"child", b"5"))
    pid = folder.pid()
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: identity(pid) is None)
    begun = time.monotonic()
    assert folder.pid() != pid  # the child has a share of the socket, but not of the lock
    assert time.monotonic() - begun < 4
    os.kill(child, signal.SIGKILL)
    assert wait_until(lambda: identity(child) is None)


def test_a_stopped_worker_counts_as_hanging_and_is_killed(folder):
    pid = folder.pid()
    os.kill(pid, signal.SIGSTOP)
    assert folder.pid(hello_s=0.3) != pid
    assert identity(pid) is None


def test_a_stopped_worker_and_a_caller_with_less_patience(folder):
    pid = folder.pid()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerError, match="did not greet in 0"):
        folder.pid(patience=0.3)
    os.kill(pid, signal.SIGCONT)
    assert folder.pid() == pid


def test_a_worker_stopped_while_it_answers(folder):
    pid = folder.pid()
    threading.Timer(0.1, os.kill, (pid, signal.SIGSTOP)).start()
    with pytest.raises(WorkerError, match=r"did not answer in 0\.[0-9]+ s"):
        folder.ask(b"sleep", b"0.3", patience=0.5)
    os.kill(pid, signal.SIGCONT)
    assert wait_until(lambda: identity(pid) is None or folder.pid() == pid)


def test_a_handler_that_hangs_is_an_error_and_ends_with_its_caller(folder):
    pid = folder.pid()
    with pytest.raises(WorkerError, match=r"did not answer in 0\.[0-9]+ s"):
        folder.ask(b"sleep", b"30", patience=0.3)
    assert wait_until(lambda: identity(pid) is None)
    assert "in _sleep" in (folder.path / "worker.log").read_text()  # where it hung
    assert folder.pid() != pid


def test_a_request_whose_caller_has_left_is_not_answered(folder):
    before = int(folder.ask(b"count"))
    first = threading.Thread(target=folder.ask, args=(b"sleep", b"0.6"))
    first.start()
    time.sleep(0.1)
    with pytest.raises(WorkerError, match="did not answer"):
        folder.ask(b"count", patience=0.2)
    first.join()
    assert int(folder.ask(b"count")) == before + 2


def open_line(folder, key=None):
    place = Place(folder.path)
    line = Client(read_state(place).address)
    deliver_challenge(line, key or place.key.read_bytes())
    answer_challenge(line, key or place.key.read_bytes())
    return line


def fingerprint(folder):
    return read_state(Place(folder.path)).fingerprint


def test_a_wrong_key_is_turned_away(folder):
    pid = folder.pid()
    with pytest.raises(AuthenticationError):
        open_line(folder, bytes(32))
    assert folder.pid() == pid
    assert "turned away" in (folder.path / "worker.log").read_text()


def test_a_key_file_that_was_changed_means_a_new_worker(folder):
    pid = folder.pid()
    (folder.path / "worker.key").write_bytes(bytes(32))
    assert folder.pid() != pid
    assert processes_of(folder.path) != [pid]


def test_a_frame_over_the_limit_is_turned_away_before_it_is_read(folder):
    pid = folder.pid(limit=1000)
    with open_line(folder) as line:
        # Small bytes that announce a huge part: nothing of that size is allocated.
        send_header_of(line, 1 << 50)
        with pytest.raises((EOFError, OSError)):
            line.recv_bytes()
    with open_line(folder) as line, suppress(BrokenPipeError, ConnectionResetError):
        line.send_bytes(bytes(1 << 20))  # longer than any header
        with pytest.raises((EOFError, OSError)):
            line.recv_bytes()
    assert folder.pid(limit=1000) == pid
    found = (folder.path / "worker.log").read_text()
    assert f"a frame has at most 132072 bytes, got {1 << 50}" in found
    assert "bad message length" in found


def send_header_of(line, size):
    from baffle.drivers.worker.frames import encode_header

    line.send_bytes(encode_header(Kind.ASK, [size], size))


@pytest.mark.parametrize("first", [b"", b"BWF1", b"GET / HTTP/1.1\r\n\r\n", b"\x80\x04N."])
def test_bytes_that_are_no_frame(folder, first):
    pid = folder.pid()
    with open_line(folder) as line:
        line.send_bytes(first)
        with pytest.raises((EOFError, OSError)):
            line.recv_bytes()
    assert folder.pid() == pid


def test_bytes_that_are_no_handshake(folder):
    pid = folder.pid()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(read_state(Place(folder.path)).address)
        line.sendall(b"\x00\x00\x00\x04spam")
        line.settimeout(5)
        assert line.recv(100) == b""
    assert folder.pid() == pid


def test_silent_connections_do_not_keep_others_out(folder):
    pid = folder.pid()
    address = read_state(Place(folder.path)).address
    lines = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for line in lines:
        line.connect(address)
    begun = time.monotonic()
    assert folder.pid() == pid
    assert time.monotonic() - begun < 1
    for line in lines:
        line.close()


def test_a_request_for_another_worker_is_not_answered(folder):
    folder.pid()
    with open_line(folder) as line:
        send(line, Kind.ASK, [encode_terms("0" * 64, 5.0, None), b"count"], 1000)
        assert receive(line, 1000) == (Kind.OTHER, [])
    with open_line(folder) as line:
        send(line, Kind.ASK, [encode_terms(fingerprint(folder), 5.0, None), b"count"], 1000)
        assert receive(line, 1000) == (Kind.ANSWER, [b"2"])


@pytest.mark.parametrize("text", ["", "{", "[" * 9999, "[]", '{"stage": "ready"}', "null", "\xff"])
def test_a_state_file_that_says_nothing(folder, text):
    pid = folder.pid()
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: identity(pid) is None)
    (folder.path / "worker.json").write_text(text, "latin-1")
    assert folder.pid() != pid


def test_a_folder_that_is_cleared_while_its_worker_lives(folder):
    first = folder.pid()
    (folder.path / "worker.json").unlink()
    second = folder.pid()
    assert identity(first) is None
    shutil.rmtree(folder.path)
    assert folder.pid() != second
    assert wait_until(lambda: identity(second) is None)
    assert folder.ask(b"count") == b"2"  # the one before has taken nothing of the next away


def test_no_process_is_ended_that_only_has_a_workers_number(folder):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        end(other.pid, f"{other.pid}.1", at_once=False)
        time.sleep(0.05)
        assert other.poll() is None
        end(other.pid, identity(other.pid), at_once=False)
        assert other.wait(5) == -signal.SIGTERM
    assert identity(other.pid) is None


def test_the_log_stays_small_and_keeps_its_end(folder):
    folder.ask(b"print", b"30000")  # 3 MB
    path = folder.path / "worker.log"
    assert wait_until(lambda: path.stat().st_size <= log.KEPT + 1000)
    folder.ask(b"print", b"1")
    lines = path.read_text().splitlines()
    assert lines[-1] == "y" * 99
    assert path.stat().st_size <= log.KEPT + 1000


def test_the_end_of_a_log_cannot_move_a_cursor(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"old\n--- worker 1 starts\n\x1b[2Jnew\xff\r\n")
    assert log.tail(path) == f"\nThe end of {path}:\n   [2Jnew\ufffd"
    assert log.tail(tmp_path / "none") == ""
