"""The gateway's routes: devices enrol, fetch asks and answer them; people look at the run.

    POST /v1/enrol    a token is used                          200 enrolled
    POST /v1/ask      is there something for me? May wait.     200 parts, 204 nothing
    POST /v1/answer   an ask's answer                          200
    GET  /            the run's page
    GET  /status.json the same, for programs
    GET  /healthz     200 while it serves

All else is refused, in JSON; see `refusals`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from baffle.drivers.http import sending, signed, wire
from baffle.drivers.http.board import Board
from baffle.drivers.http.body import Body, declared
from baffle.drivers.http.enrolment import ENROLMENT_BYTES
from baffle.drivers.http.limits import caller_of
from baffle.drivers.http.mailbox import Sent, Taken
from baffle.drivers.http.refusals import No
from baffle.drivers.http.transport import HttpTransport
from baffle.drivers.http.waiting import Waiters, wait
from baffle.errors import DecodeError, Refused

ENROL, ASK, ANSWER = "/v1/enrol", "/v1/ask", "/v1/answer"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """Seconds that a gateway waits.

    Args:
        ask: for an ask, before it says that there is none; less than proxies wait.
        body: for a request's body.
        piece: for a device to take the next piece of an ask.
    """

    ask: float = 25.0
    body: float = 20.0
    piece: float = sending.SECONDS


@dataclass
class Edge:
    """What the routes do.

    Args:
        transport: where asks lie and answers go; its `wake` becomes this one's.
        board: what people see.
        patience: how long it waits.
    """

    transport: HttpTransport
    board: Board
    patience: Patience = field(default_factory=Patience)
    waiters: Waiters = field(default_factory=Waiters)

    def __post_init__(self) -> None:
        self.transport.wake = self.waiters.wake

    async def enrol(self, request: Request, body: Body) -> Response:
        """Let a device in."""
        data, address = await body.read(), _address(request)
        return sending.body(await run_in_threadpool(self.transport.enrol, data, address))

    async def ask(self, request: Request, body: Body) -> Response:
        """Give a device its ask, or wait for one for as long as it says."""
        node, data = await self._signed(request, body)
        seconds = min(wire.decode_wait(data) / 1000, self.patience.ask)
        sent = self.transport.fetch(node)
        if sent is None and seconds > 0:
            sent = await self._waited(node, request, seconds)
        if sent is None:
            return sending.nothing()
        return sending.Parts(wire.encode_ask(sent.number, sent.parts), self.patience.piece)

    async def _waited(self, node: int, request: Request, seconds: float) -> Sent | None:
        waiter = self.waiters.enter(node)
        self.transport.waits(node, 1)
        try:
            # Looked at once more, since it may have come before it was waited for.
            if (sent := self.transport.fetch(node)) is not None:
                return sent
            there = await wait(waiter, request.receive, seconds)
            if self.transport.stopping:
                raise No("stopping", "this gateway is going to end: come again", seconds=1.0)
            return self.transport.fetch(node) if there else None
        finally:
            self.transport.waits(node, -1)
            self.waiters.leave(node, waiter)

    async def answer(self, request: Request, body: Body) -> Response:
        """Take an answer."""
        node, data = await self._signed(request, body)
        number, answer = wire.decode_answer(data)
        taken = self.transport.answer(node, number, answer)
        body.release(kept=len(answer) if taken is Taken.NEW else 0)
        return sending.body(json.dumps({"answer": taken.value}).encode(), sending.JSON)

    async def _signed(self, request: Request, body: Body) -> tuple[int, bytes]:
        """Return (node, body) of a request that its device has signed."""
        said = request.headers.getlist("authorization")
        if len(said) != 1:
            raise DecodeError(f"expected one Authorization header, got {len(said)}")
        stamp, address = signed.Stamp.of(said[0]), _address(request)
        self.transport.glance(stamp, address)
        data = await body.read()
        asked = signed.Request(request.method, request.url.path, data)
        return self.transport.authenticate(stamp, asked, address), data

    def bounded(
        self, handle: Callable[[Request, Body], Awaitable[Response]], most: int
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a route that reads at most so many bytes, and refuses in words."""

        async def route(request: Request) -> Response:
            try:
                size = declared(request, most)
            except Refused as no:
                return sending.refusal(no, closing=True)
            body = Body(request.receive, size, self.transport, self.patience.body)
            try:
                return await handle(request, body)
            except DecodeError as no:
                return await _refused(Refused("decode", str(no)), body)
            except Refused as no:
                return await _refused(no, body)
            finally:
                body.release()

        return route

    async def page(self, request: Request) -> Response:
        """Show the run to people."""
        found = sending.body(self.board.page(), "text/html; charset=utf-8")
        found.headers["content-security-policy"] += f"; style-src {self.board.style}"
        return found

    async def status(self, request: Request) -> Response:
        """Show it to programs."""
        return sending.body(self.board.json(), sending.JSON)

    async def health(self, request: Request) -> Response:
        """Say that it serves."""
        return sending.body(b'{"ok": true}', sending.JSON)


async def _refused(no: Refused, body: Body) -> Response:
    return sending.refusal(no, closing=not await body.leave())


def make_app(edge: Edge) -> ASGIApp:
    """Return the ASGI application of a gateway."""
    most = edge.transport.bounds.answer + wire.ANSWER_AROUND
    routes = [
        Route(ENROL, edge.bounded(edge.enrol, ENROLMENT_BYTES), methods=["POST"]),
        Route(ASK, edge.bounded(edge.ask, wire.WAIT_BYTES), methods=["POST"]),
        Route(ANSWER, edge.bounded(edge.answer, most), methods=["POST"]),
        Route("/", edge.page),
        Route("/status.json", edge.status),
        Route("/healthz", edge.health),
    ]
    handlers = {HTTPException: _no_route, Exception: _fault}
    app = Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]
    app.router.redirect_slashes = False
    return _literal(app)


async def _no_route(request: Request, problem: Exception) -> Response:
    method = isinstance(problem, HTTPException) and problem.status_code == 405
    return sending.refusal(_no_method() if method else _no_path(), closing=True)


async def _fault(request: Request, problem: Exception) -> Response:
    """What went wrong is in the gateway's log, and nowhere else."""
    return sending.refusal(Refused("failed", "a fault of the gateway's own"), closing=True)


def _no_path() -> Refused:
    return Refused("path", "there is nothing of that name here")


def _no_method() -> Refused:
    return Refused("method", "this name takes another method")


def _literal(app: ASGIApp) -> ASGIApp:
    """Return an application that is reached by its paths as they stand, not by others like them.

    What is signed is the path. So one that is written otherwise, percent-encoded or with a query,
    is another one.
    """

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        plain = scope["type"] == "http" and not scope.get("query_string")
        if plain and scope.get("raw_path", b"") == scope["path"].encode():
            await app(scope, receive, send)
        elif scope["type"] == "http":
            await sending.refusal(_no_path(), closing=True)(scope, receive, send)

    return checked


def _address(request: Request) -> str:
    return caller_of(request.client.host if request.client else "")
