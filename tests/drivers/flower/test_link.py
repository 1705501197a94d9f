"""Patience: calls are repeated while the SuperLink is away, and no longer."""

import pytest

from baffle.drivers.flower.link import Link
from baffle.errors import LinkLost

pytestmark = pytest.mark.flower


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def link(patience=10.0, grid=None):
    clock = Clock()
    return Link(grid, patience, pause=2.0, clock=clock, sleep=clock.sleep), clock


def failing(times, error, value="answer"):
    errors = [error] * times

    def action():
        if errors:
            raise errors.pop()
        return value

    return action


def away():
    import httpx

    return httpx.ConnectError("refused")


def status(code):
    import httpx

    request = httpx.Request("POST", "https://127.0.0.1/v1/runtime/push-messages")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(code))


def test_a_superlink_that_comes_back():
    calls, clock = link()
    assert calls.call(failing(3, away())) == "answer"
    assert clock.now == 106.0


@pytest.mark.parametrize("code", [500, 502, 503])
def test_a_superlink_in_trouble(code):
    assert link()[0].call(failing(2, status(code))) == "answer"


def test_a_lost_push_session_is_pushed_again():
    from flwr.supercore.inflatable.inflatable_utils import ObjectPushError

    assert link()[0].call(failing(1, ObjectPushError("a", 1, "b"))) == "answer"


def test_patience_ends():
    calls, clock = link()
    with pytest.raises(LinkLost, match="did not answer for 10 s"):
        calls.call(failing(99, away()))
    assert clock.now == 110.0


@pytest.mark.parametrize("code", [400, 403, 413])
def test_a_refusal_is_final(code):
    calls, clock = link()
    with pytest.raises(LinkLost, match="refused"):
        calls.call(failing(1, status(code)))
    assert clock.now == 100.0


def test_a_stopped_run_is_final():
    from flwr.supercore.run import RunNotRunningException

    with pytest.raises(LinkLost, match="not running"):
        link()[0].call(failing(1, RunNotRunningException()))


def test_other_errors_are_not_hidden():
    with pytest.raises(KeyError):
        link()[0].call(failing(1, KeyError("ours")))


def test_the_real_grid_gives_up_in_time():
    """Nobody listens on the port; Flower by itself would retry for ever."""
    import socket
    import time

    from flwr.superlink.grid import HttpGrid

    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        grid = HttpGrid(f"127.0.0.1:{unheard.getsockname()[1]}", insecure=True, token="t")
        start = time.monotonic()
        with pytest.raises(LinkLost):
            Link(grid, 0.3, pause=0.1).call(grid.get_node_ids)
        grid.close()
    assert time.monotonic() - start < 5
