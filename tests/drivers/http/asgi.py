"""An application called as a server calls it, without a socket."""

import asyncio
import json
from contextlib import suppress
from urllib.parse import unquote


class Response:
    """What an application sent."""

    def __init__(self, messages):
        start, *bodies = messages
        self.status_code = start["status"]
        self.headers = {k.decode(): v.decode() for k, v in start["headers"]}
        self.content = b"".join(m.get("body", b"") for m in bodies)

    @property
    def text(self):
        return self.content.decode()

    def json(self):
        return json.loads(self.content)


class Client:
    """Calls an application.

    Args:
        app: which.
        slow: seconds before a body's second half comes.
        leaves: seconds after which the caller hangs up; None for one that stays.
    """

    def __init__(self, app, slow=0.0, leaves=None):
        self._app, self._slow, self._leaves = app, slow, leaves

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, content=b"", headers=()):
        return self.request("POST", path, content, headers)

    def request(self, method, path, content=b"", headers=()):
        """Return the response; an application's own fault is its server's to log."""
        raw, _, query = path.partition("?")
        given = [(k, v) for k, v in (headers.items() if isinstance(headers, dict) else headers)]
        names = [name for name, _ in given]
        chunked = not isinstance(content, bytes)
        if chunked:
            given.append(("transfer-encoding", "chunked"))
        elif "content-length" not in names and method == "POST":
            given.append(("content-length", str(len(content))))
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode(),
            "headers": [(k.encode(), v if isinstance(v, bytes) else v.encode()) for k, v in given],
            "client": ("192.0.2.1", 5), "server": ("gateway", 8443), "root_path": "", "state": {},
        }  # fmt: skip
        pieces = list(content) if chunked else [content[: len(content) // 2]]
        pieces += [] if chunked else [content[len(content) // 2 :]]
        return asyncio.run(self._called(scope, pieces))

    async def _called(self, scope, pieces):
        sent, left = [], list(pieces)

        async def receive():
            if left:
                await asyncio.sleep(self._slow if len(left) == 1 else 0.0)
                body = left.pop(0)
                return {"type": "http.request", "body": body, "more_body": bool(left)}
            await asyncio.sleep(1e6 if self._leaves is None else self._leaves)
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        with suppress(ZeroDivisionError):
            await self._app(scope, receive, send)
        return Response(sent)
