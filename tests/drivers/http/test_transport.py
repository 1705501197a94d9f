"""The transport between two sides: threads, and what ends it."""

import threading
import time

import pytest

from baffle.drivers.http.listener import Listener, bound
from baffle.drivers.http.mailbox import Taken
from baffle.errors import LinkLost, Refused
from baffle.fleet import Outgoing
from tests.drivers.http.edge import Rig


def test_asks_and_answers_of_many_threads_are_each_taken_once(tmp_path):
    rig = Rig(tmp_path)
    devices, over, given = [rig.device(n) for n in range(1, 5)], threading.Event(), []

    def work(device):
        while not over.is_set():
            sent = rig.transport.fetch(device.node)
            if sent is None:
                time.sleep(0.0005)
                continue
            data = sent.parts[0] + b" answered"
            assert rig.transport.reserve(len(data))
            for _ in "12":  # the second one is a repeated request
                try:
                    taken = rig.transport.answer(device.node, sent.number, data)
                except Refused:
                    taken = Taken.GONE
                if taken is Taken.NEW:
                    given.append((device.node, data))

    threads = [threading.Thread(target=work, args=(d,)) for d in devices for _ in "12"]
    for thread in threads:
        thread.start()
    came = []
    for number in range(200):
        asks = [Outgoing(d.node, (b"%d to %d" % (number, d.node), b"c")) for d in devices]
        rig.transport.carry(asks, 5.0, "0")
        time.sleep(0.001)
        came += rig.came()
    time.sleep(0.05)
    over.set()
    for thread in threads:
        thread.join()
    came += rig.came()
    assert sorted(came) == sorted(given)
    assert len(set(came)) == len(came) > 100


def test_a_listener_that_ended_is_told_to_the_servers_loop(tmp_path):
    rig = Rig(tmp_path)
    assert rig.transport.nodes() == frozenset()
    rig.transport.lose("its listener ended")
    for call in (rig.transport.nodes, rig.transport.poll):
        with pytest.raises(LinkLost, match="listens no more: its listener ended"):
            call()


def test_a_listener_that_is_stopped_is_not_lost_and_one_that_breaks_is(tmp_path, monkeypatch):
    rig, lost = Rig(tmp_path), []
    listener = Listener(rig.app, bound("127.0.0.1", 0), None, 10, lost.append)
    listener.start()
    listener.stop()
    assert lost == []
    broken = Listener(rig.app, bound("127.0.0.1", 0), None, 10, lost.append)
    monkeypatch.setattr(broken._server, "run", lambda sockets: 1 / 0)
    broken.start()
    broken.stop()
    assert lost == ["its listener ended with ZeroDivisionError"]
